"""Picture files: what a header promises, and the pixels as the trainer wants them."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageCms

from trainer_core.data import headers
from trainer_core.data.buckets import Fit
from trainer_core.data.buckets import fit as cover
from trainer_core.data.dataset import Size
from trainer_core.data.quality import Look

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF")
"""What Pillow may open, besides HEIF where pillow_heif is installed. EPS and others start programs or have a long
history of holes."""

MAX_PIXELS = 89_478_485
"""Pillow's first limit against decompression bombs: decoded as RGB, some 270 MB for one picture."""

MIN_SIDE = 32
"""Pixels. A latent cell covers 8 x 8 of them, so a smaller picture holds not even 4 x 4 cells of content."""

MAX_ASPECT = 8.0
"""Twice the widest default bucket (1024 x 256): beyond it, more than half of a picture would be cropped away."""

_SUFFIXES = {
    "PNG": {".png"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "WEBP": {".webp"},
    "BMP": {".bmp"},
    "GIF": {".gif"},
    "AVIF": {".avif"},
    "HEIF": {".heic", ".heif", ".hif"},
}

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> what sets it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})


class BadPictureError(Exception):
    """A picture that cannot be trained on; the text says why and what to do, without naming the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is known of a picture before its pixels are decoded.

    Attributes:
        size: width and height in pixels after the EXIF orientation is applied.
        form: its format, whatever the suffix says: one of `FORMATS`, or HEIF.
        alpha: it has transparency, which is laid on white.
        animated: it has several frames, of which the first is used.
        cmyk: it is in printing colours, which are converted.
        misnamed: the suffix belongs to another format.
        look: what was measured of the pixels; None where they were not decoded.
    """

    size: Size
    form: str
    alpha: bool
    animated: bool
    cmyk: bool
    misnamed: bool
    look: Look | None = None


def probe(path: Path) -> Header:
    """Check a picture by header, length and trailer, cheap enough for tens of thousands.

    Raises:
        BadPictureError: it cannot be used. Damage inside the pixels is found by `load_picture` only.
    """
    with _opened(path) as (file, image):
        size = _upright_size(image)
        _check_size(size)
        form = "JPEG" if image.format == "MPO" else image.format or ""
        if missing := headers.missing_end(file, form, image.size):
            raise BadPictureError(f"is cut off: {missing}. Copy it again, or remove it")
        return Header(
            size=size,
            form=form,
            alpha=_has_alpha(image),
            animated=image.format != "MPO" and bool(getattr(image, "is_animated", False)),
            cmyk=image.mode == "CMYK",
            misnamed=path.suffix.lower() not in _SUFFIXES[form],
        )


def load_picture(path: Path) -> Image.Image:
    """Decode a picture: upright, mode RGB, 8 bits, transparency on white, the first frame of an animation.

    Raises:
        BadPictureError: it cannot be used, or its pixels are damaged.
    """
    with _opened(path) as (_, image):
        _check_size(_upright_size(image))
        try:
            image.load()
            upright = _UPRIGHT.get(_orientation(image))
            rgb = _to_rgb(image)
            return rgb.transpose(upright) if upright is not None else rgb
        except MemoryError:
            raise
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, RuntimeError
            raise BadPictureError(f"is damaged ({error}). Copy it again, or remove it") from error


def prepare_picture(image: Image.Image, target: Fit | Size) -> Image.Image:
    """Resize and crop `image` (RGB): averaging when both sides shrink, Lanczos otherwise.

    Args:
        image: the decoded picture.
        target: what `buckets.fit_picture` said of it, or a size that it shall cover before its centre is kept.

    Raises:
        BadPictureError: the picture is not of the size that `target` was computed for.
    """
    fit = target if isinstance(target, Fit) else cover(image.size, target)
    check_source(image, fit)
    return resized(image, fit.resize).crop(fit.crop)


def check_source(image: Image.Image, fit: Fit) -> None:
    """Refuse a picture that is not of the size that `fit` was computed for.

    Raises:
        BadPictureError: it is not.
    """
    if image.size != fit.source:
        was, now = (f"{width} x {height}" for width, height in (fit.source, image.size))
        raise BadPictureError(f"has changed since it was scanned ({was} pixels then, {now} now). Start again")


def resized(image: Image.Image, size: Size) -> Image.Image:
    """Resize `image`: averaging when both sides shrink, Lanczos otherwise."""
    if image.size == size:
        return image
    shrinks = size[0] <= image.width and size[1] <= image.height
    return image.resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Hold back Pillow's warnings (odd EXIF, large pictures); use it around threads, not inside them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """Open a picture by content. Regular files only: opening a FIFO would wait for ever."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise BadPictureError(f"is {what}, though its name is a picture's. Rename or remove it")
        with path.open("rb") as file:
            yield file, _identify(file)
    except OSError as error:
        raise BadPictureError(
            f"cannot be read ({error.strerror or error}). Check the file and its rights"
        ) from None


def _identify(file: BinaryIO) -> Image.Image:
    try:
        image = Image.open(file, formats=_formats_of(file))
        if image.format == "PNG" and "exif" not in image.info:
            _add_late_exif(image, file)
        return image
    except Image.DecompressionBombError:
        raise BadPictureError(_too_large(f"over {2 * MAX_PIXELS:,}")) from None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as for decoding
        raise BadPictureError(_why_unknown(file)) from None


def _formats_of(file: BinaryIO) -> tuple[str, ...]:
    head = file.read(12)
    file.seek(0)
    return (*FORMATS, "HEIF") if headers.is_heif(head) and _can_read_heif() else FORMATS


@lru_cache(maxsize=1)
def _can_read_heif() -> bool:
    """Teach Pillow to read HEIF, if the optional pillow_heif is there."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _why_unknown(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(1024)
    if not head:
        return "is empty (0 bytes). Copy it again, or remove it"
    if headers.is_heif(head):
        if _can_read_heif():
            return "is a HEIC or HEIF file that is cut off or damaged. Copy it again, or remove it"
        return (
            "is a HEIC or HEIF file, which is not read. Convert it to PNG or JPEG, or install dbtui[heif],"
            " or remove it"
        )
    if other := headers.other_picture(head):
        return f"is {other}, which is not read. Convert it to PNG or JPEG, or remove it"
    if headers.is_markup(head):
        return "is a web page, no picture. Download the picture itself, or remove the file"
    if headers.looks_like_picture(head):
        return "is cut off or damaged: its header cannot be read. Copy it again, or remove it"
    return "is no picture of a format that is known. Convert it to PNG or JPEG, or remove it"


def _check_size(size: Size) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise BadPictureError(_too_large(f"{width} x {height} = {width * height:,}"))
    if min(size) < MIN_SIDE:
        raise BadPictureError(f"is {width} x {height} pixels; the shorter side needs {MIN_SIDE}. Remove it")
    if max(size) > MAX_ASPECT * min(size):
        text = f"is {width} x {height} pixels, longer than {MAX_ASPECT:g} : 1. Crop it, or remove it"
        raise BadPictureError(text)


def _too_large(pixels: str) -> str:
    return f"has {pixels} pixels; the limit is {MAX_PIXELS:,}. Make it smaller"


def _upright_size(image: Image.Image) -> Size:
    return (image.height, image.width) if _orientation(image) in _SIDEWAYS else (image.width, image.height)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation from what has been read; 1 (upright) if there is none or it makes no sense."""
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION_TAG)  # PNG's own method would decode the pixels
    except Exception:  # noqa: BLE001 - corrupt EXIF raises whatever its bytes lead to
        return 1
    return value if isinstance(value, int) else 1


def _add_late_exif(image: Image.Image, file: BinaryIO) -> None:
    """Give `image` the EXIF that a PNG carries behind its pixels, so that its size is known without decoding."""
    position = file.tell()
    if exif := headers.png_exif(file):
        image.info["exif"] = exif
    file.seek(position)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"I;16", "I;16L", "I;16B"}:
        return _high_bytes(image).convert("RGB")
    if image.mode == "I":
        return image.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if _has_alpha(image):
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if image.mode == "CMYK" and (profile := image.info.get("icc_profile")):
        return _print_to_screen(image, profile)
    return image.convert("RGB")


def _high_bytes(image: Image.Image) -> Image.Image:
    """16 bits to 8 by keeping the upper ones; versions of Pillow differ in what `convert` does here."""
    first = 0 if image.mode == "I;16B" else 1
    return Image.frombytes("L", image.size, image.tobytes()[first::2])


def _print_to_screen(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        screen = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, BytesIO(profile), screen, outputMode="RGB")
    except ImageCms.PyCMSError:  # a damaged profile: the plain conversion is what every viewer falls back to
        converted = None
    return converted or image.convert("RGB")
