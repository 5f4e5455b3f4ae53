"""Small copies of pictures to show: decoded by the trainer's own code, the last ones kept in memory."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock

from PIL import Image

from trainer_core.data.augment import STILL
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item, Picture
from trainer_core.data.images import BadPictureError, load_picture
from trainer_core.data.shown import Shown

SIDE = 320
"""Pixels of a copy's longer side: sharp where a terminal shows real pictures, 300 KB at most in memory."""
KEPT = 64

_Key = tuple[Path, int, int, Fit | None]
_kept: OrderedDict[_Key, Image.Image] = OrderedDict()
_lock = Lock()


def small_picture(path: Path, fit: Fit | None = None) -> Image.Image:
    """Return a small copy of a picture, with `fit` of what the trainer makes of it. It may be called in threads.

    Raises:
        BadPictureError: it cannot be read, or is too large to be decoded; the text does not name the file.
    """
    key = _key(path, fit)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    picture = _cropped(path, fit) if fit else _whole(path)
    with _lock:
        _kept[key] = picture
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return picture


def is_kept(path: Path, fit: Fit | None = None) -> bool:
    """Whether the copy is in memory, so that asking for it takes no time."""
    try:
        return _key(path, fit) in _kept
    except BadPictureError:
        return False


def _key(path: Path, fit: Fit | None) -> _Key:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadPictureError(f"cannot be read ({reason}). Check the file and its rights") from None
    return path, found.st_mtime_ns, found.st_size, fit


def _cropped(path: Path, fit: Fit) -> Image.Image:
    picture = Picture(path=path, size=fit.source, caption="", caption_from="")
    return Shown(Item(picture=picture, is_class=False, repeats=1), fit, STILL, "").small(SIDE)


def _whole(path: Path) -> Image.Image:
    picture = load_picture(path)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return picture
