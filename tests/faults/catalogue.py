"""Every bad and every odd file of the catalogue of bad input (reliability.md, section 3), made into one folder."""

import io
import os
import random
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageCms

SIZE = (96, 72)


@dataclass
class Catalogue:
    """What was made: names of the pictures that can be trained on, and of those that cannot."""

    good: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    bad_captions: set[str] = field(default_factory=set)


def write_catalogue(folder: Path) -> Catalogue:
    """Fill `folder` with one of each."""
    made = Catalogue()
    for name, content in {**_damaged(), **_not_pictures(), **_sizes()}.items():
        (folder / name).write_bytes(content)
        made.bad.add(name)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    made.bad |= {"folder.jpg", "pipe.jpg", "loop.jpg", "gone.jpg"}
    for name, content in {**_odd(), **_names()}.items():
        (folder / name).write_bytes(content)
        made.good.add(name)
    for name in (".DS_Store", "._x.jpg", "Thumbs.db"):
        (folder / name).write_bytes(b"\0" * 20)
    for name in ("__MACOSX", ".ipynb_checkpoints", "nested"):
        (folder / name).mkdir()
        (folder / name / "inside.jpg").write_bytes(picture())
    _captions(folder, made)
    return made


def picture(
    form: str = "JPEG", seed: int = 0, mode: str = "RGB", size: tuple[int, int] = SIZE, **options
) -> bytes:
    """Return a picture of soft noise, another for each seed."""
    rough = Image.frombytes("RGB", (8, 6), random.Random(seed).randbytes(8 * 6 * 3))
    buffer = io.BytesIO()
    rough.resize(size, Image.Resampling.BICUBIC).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _damaged() -> dict[str, bytes]:
    flipped = bytearray(picture("PNG", 1))
    flipped[len(flipped) // 2] ^= 0xFF
    cut = {form: picture(form, 2, size=(320, 240)) for form in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP")}
    return {
        "zero.jpg": b"",
        "flipped.png": bytes(flipped),
        **{f"cut.{form.lower()}": content[: len(content) * 2 // 3] for form, content in cut.items()},
    }


def _not_pictures() -> dict[str, bytes]:
    return {
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n",
        "photoshop.jpg": b"8BPS\0\1" + bytes(60),
        "drawing.jpg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(100),
        "new.jxl": b"\xff\x0a" + bytes(50),
    }


def _sizes() -> dict[str, bytes]:
    return {
        "dot.png": picture("PNG", size=(1, 1)),
        "line.png": picture("PNG", size=(1, 20_000)),
        "huge.png": _promise(10_000, 9_000),
        "bomb.png": _promise(50_000, 50_000),
    }


def _promise(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels of one bit and holds none."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _odd() -> dict[str, bytes]:
    """Pictures that are read, each in its way."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    upright = Image.Exif()
    upright[0x0112] = 6
    nonsense = Image.Exif()
    nonsense[0x0112] = 99
    deep = Image.new("I;16", SIZE, 40_000)
    frames = [Image.new("RGB", SIZE, (shade, 90, 120)) for shade in (10, 200)]
    return {
        "cmyk.jpg": picture("JPEG", 10, "CMYK"),
        "profile.jpg": picture("JPEG", 11, icc_profile=profile),
        "sixteen.png": _saved(deep, "PNG"),
        "palette.png": picture("PNG", 12, "P", transparency=0),
        "alpha.png": picture("PNG", 13, "RGBA"),
        "grey-alpha.png": picture("PNG", 14, "LA"),
        "turned.jpg": picture("JPEG", 15, exif=upright),
        "nonsense.jpg": picture("JPEG", 16, exif=nonsense),
        "broken-exif.jpg": picture("JPEG", 17, exif=b"Exif\0\0garbage"),
        "moving.gif": _saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "moving.webp": _saved(frames[1], "WEBP", save_all=True, append_images=frames[:1]),
        "really-png.jpg": picture("PNG", 18),
        "still.avif": picture("AVIF", 19),
    }


def _saved(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _names() -> dict[str, bytes]:
    names = [
        "new\nline.jpg",
        "esc\x1b]0;owned\x07.jpg",
        "[bold]markup[.jpg",
        "bidi\u202egpj.jpg",
        "\N{FROG FACE}.jpg",
        "-rf.jpg",
        "n" * 251 + ".jpg",
        os.fsdecode(b"bytes\xff.jpg"),
        "LOUD.JPG",
        "caf\u00e9.jpg",
        "cafe\u0301.jpg",
        "copy-1.jpg",
        "copy-2.jpg",
        "pair.jpg",
        "pair.png",
    ]
    seeds = {name: number for number, name in enumerate(names, 30)}
    seeds["copy-2.jpg"] = seeds["copy-1.jpg"]
    return {name: picture("PNG" if name.endswith("png") else "JPEG", seed) for name, seed in seeds.items()}


def _captions(folder: Path, made: Catalogue) -> None:
    good = {
        "bom": b"\xef\xbb\xbfsls frog",
        "utf16": "sls frog".encode("utf-16"),
        "utf32": "sls frog".encode("utf-32"),
        "empty": b"",
        "blank": b" \n ",
        "lines": b"sls frog\non a leaf",
        "esc": b"sls frog \x1b]0;owned\x07 [bold]",
    }
    bad = {"cp1252": "sls frog, caf\u00e9 \u20ac".encode("cp1252"), "nul": b"sls frog\0"}
    for number, (stem, content) in enumerate({**good, **bad}.items(), 60):
        (folder / f"{stem}.jpg").write_bytes(picture(seed=number))
        (folder / f"{stem}.txt").write_bytes(content)
    made.good |= {f"{stem}.jpg" for stem in good}
    made.bad_captions |= {f"{stem}.txt" for stem in bad}
    (folder / "orphan.txt").write_text("a caption without a picture")
