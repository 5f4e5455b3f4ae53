"""Pictures, folders and hostile files for the tests of the dataset."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from trainer_core.config.schema import Concept, Dataset
from trainer_core.data.dataset import Scan
from trainer_core.data.scan import scan_dataset

SavePictures = Callable[..., Path]


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encode a gradient (or the picture given) in a format."""

    def encode(form: str = "JPEG", size: tuple[int, int] = (64, 48), image: Image.Image | None = None, **options):
        buffer = io.BytesIO()
        (image or Image.linear_gradient("L").resize(size).convert("RGB")).save(buffer, form, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture
def save_pictures(encode: Callable[..., bytes]) -> SavePictures:
    """Fill a folder with `count` pictures named 0.jpg, 1.jpg, ..."""

    def save(folder: Path, count: int, size: tuple[int, int] = (96, 72)) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / f"{number}.jpg").write_bytes(encode(size=size))
        return folder

    return save


@pytest.fixture
def scan() -> Callable[..., Scan]:
    """Scan a training folder, a class folder and concepts at 64 x 64."""

    def run(
        train: Path | None = None,
        reg: Path | None = None,
        concepts=(),
        deep: bool = False,
        method="dreambooth",
        **settings,
    ) -> Scan:
        dataset = Dataset(
            train_dir=None if train is None else str(train),
            reg_dir=None if reg is None else str(reg),
            resolution=(64, 64),
            **settings,
        )
        named = [Concept(**concept) for concept in concepts]
        return scan_dataset(dataset, named, method=method, deep=deep, workers=2)

    return run


def _png_header(width: int, height: int) -> bytes:
    """A PNG that promises width x height pixels of one bit and holds none."""
    data = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", data), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def bad_files(encode: Callable[..., bytes]) -> dict[str, tuple[bytes, str]]:
    """Bad picture files: name -> content, and a word of the reason that must be given."""
    noise = Image.effect_noise((160, 120), 80).convert("RGB")
    flipped = bytearray(encode("PNG", image=noise))
    flipped[len(flipped) // 2] ^= 0xFF
    return {
        "zero.jpg": (b"", "empty"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        "text.png": (b"just some words", "no picture"),
        "cut.jpg": (encode("JPEG", image=noise)[:-900], "cut off"),
        "cut-header.jpg": (encode("JPEG", image=noise)[:30], "damaged"),
        "cut.png": (encode("PNG", image=noise)[:-900], "cut off"),
        "cut.gif": (encode("GIF", image=noise)[:-900], "cut off"),
        "cut.bmp": (encode("BMP", image=noise)[:-900], "cut off"),
        "cut.webp": (encode("WEBP", image=noise)[:-900], "cut off"),
        "cut.avif": (encode("AVIF", image=noise)[:-900], "cut off"),
        "dot.png": (encode("PNG", size=(1, 1)), "1 x 1"),
        "line.png": (encode("PNG", size=(1, 2000)), "1 x 2000"),
        "strip.png": (encode("PNG", size=(40, 400)), "longer than"),
        "huge.png": (_png_header(10_000, 9_000), "90,000,000"),
        "bomb.png": (_png_header(50_000, 50_000), "limit"),
        "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n", "EPS"),
        "photoshop.jpg": (b"8BPS\0\1" + bytes(60), "Photoshop"),
        "drawing.jpg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "tiff.jpg": (encode("TIFF"), "TIFF"),
        "phone.jpg": (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        "new.jxl": (b"\xff\x0a" + bytes(50), "JPEG XL"),
        "damaged.png": (bytes(flipped), "damaged"),
    }


@pytest.fixture
def bad_folder(
    tmp_path: Path, save_pictures: SavePictures, bad_files: dict[str, tuple[bytes, str]]
) -> tuple[Path, dict[str, str]]:
    """A training folder with two good pictures and one of each bad file, and the reason to expect for each."""
    folder = save_pictures(tmp_path / "train" / "5_sls frog", 2)
    expected = {}
    for name, (content, reason) in bad_files.items():
        (folder / name).write_bytes(content)
        expected[name] = reason
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    expected |= {
        "folder.jpg": "folder",
        "pipe.jpg": "regular",
        "loop.jpg": "symbolic links",
        "gone.jpg": "cannot be read",
    }
    return folder, expected
