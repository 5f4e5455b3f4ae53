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

_Stamp = tuple[int, int]
_kept: OrderedDict[tuple[Path, Fit | None], tuple[_Stamp, Image.Image]] = OrderedDict()
"""The copies by file and crop, each with the time and the size of the file that it was made of."""
_lock = Lock()


def small_picture(path: Path, fit: Fit | None = None) -> Image.Image:
    """Return a small copy of a picture, with `fit` of what the trainer makes of it. It may be called in threads.

    Raises:
        BadPictureError: it cannot be read, or is too large to be decoded; the text does not name the file.
    """
    key, stamp = (path, fit), _stamp(path)
    with _lock:
        if key in _kept and _kept[key][0] == stamp:
            _kept.move_to_end(key)
            return _kept[key][1]
    picture = _cropped(path, fit) if fit else _whole(path)
    with _lock:
        _kept[key] = stamp, picture
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return picture


def kept_picture(path: Path, fit: Fit | None = None) -> Image.Image | None:
    """Return the copy that is in memory, None if there is none. The disk is not asked: the file may be another."""
    with _lock:
        kept = _kept.get((path, fit))
    return kept[1] if kept else None


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadPictureError(f"cannot be read ({reason}). Check the file and its rights") from None
    return found.st_mtime_ns, found.st_size


def _cropped(path: Path, fit: Fit) -> Image.Image:
    picture = Picture(path=path, size=fit.source, caption="", caption_from="")
    return Shown(Item(picture=picture, is_class=False, repeats=1), fit, STILL, "").small(SIDE)


def _whole(path: Path) -> Image.Image:
    picture = load_picture(path)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return picture
