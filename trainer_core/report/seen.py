"""What the trainer saw of the dataset, kept in the run's folder: dataset.json.

The pictures themselves may be gone, changed, or on another machine when somebody wants to see what was trained.
"""

import base64
import io
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from trainer_core.config.schema import Dataset
from trainer_core.data.augment import Variation
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item, Scan
from trainer_core.data.images import BadPictureError, quiet_pillow
from trainer_core.data.order import TrainingOrder
from trainer_core.data.shown import Shown, first_seen
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory

RECORD = "dataset.json"
MOST_SHOWN = 48
SIDE = 256
"""Longest side of a picture that is kept, in pixels."""
_QUALITY = 80
_SECONDS = 3.0
"""After so long, the pictures that are left are named without being decoded."""
_THREADS = 4
_LARGEST_RECORD = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of pictures: its name, its pictures and their repeats, and its prompt."""

    name: str
    is_class: bool
    pictures: int
    repeats: int
    prompt: str


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """One picture as it was in its first step; `jpeg` is base64, "" where it could not be had."""

    name: str
    is_class: bool
    bucket: str
    varied: str
    text: str
    jpeg: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The dataset of a run: folders, how many pictures each bucket has, how steps come about, some pictures."""

    folders: tuple[Folder, ...]
    buckets: dict[str, int]
    formula: str
    pictures: tuple[SeenPicture, ...]


def write_seen(
    run: RunDirectory,
    dataset: Dataset,
    scan: Scan,
    items: Sequence[Item],
    fits: Sequence[Fit],
    order: TrainingOrder,
    total_steps: int,
    formula: str,
) -> None:
    """Write the record of `run`. Takes a few seconds at most. Raises OSError."""
    sizes = {item.picture.path: fit.bucket for item, fit in zip(items, fits, strict=True)}
    buckets: dict[str, int] = {}
    for width, height in sorted(sizes.values()):
        name = f"{width} x {height}"
        buckets[name] = buckets.get(name, 0) + 1
    shown = first_seen(dataset, items, fits, order, total_steps, most=MOST_SHOWN)
    seen = Seen(tuple(_folders(scan)), buckets, formula, tuple(_pictures(shown)))
    write_text(run.path / RECORD, json.dumps({"format": 1, **asdict(seen)}) + "\n")


def read_seen(run: RunDirectory) -> Seen | None:
    """Return the record of `run`; None if there is none, or none that can be read."""
    try:
        with (run.path / RECORD).open("rb") as file:
            data = json.loads(file.read(_LARGEST_RECORD))
        return Seen(
            tuple(Folder(**folder) for folder in data["folders"]),
            {str(name): int(count) for name, count in data["buckets"].items()},
            str(data["formula"]),
            tuple(SeenPicture(**_checked(picture)) for picture in data["pictures"][:MOST_SHOWN]),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _checked(picture: dict[str, Any]) -> dict[str, Any]:
    base64.b64decode(picture["jpeg"], validate=True)
    return picture


def _folders(scan: Scan) -> Iterator[Folder]:
    for folder in (*scan.train, *scan.classes):
        is_class = folder.kind == "class"
        yield Folder(folder.path.name, is_class, len(folder.pictures), folder.repeats, folder.prompt)


def _pictures(shown: Sequence[Shown]) -> Iterator[SeenPicture]:
    until = time.monotonic() + _SECONDS

    def jpeg_of(each: Shown) -> str:
        if time.monotonic() > until:
            return ""
        try:
            return base64.b64encode(as_jpeg(each.small(SIDE), _QUALITY)).decode("ascii")
        except BadPictureError:  # it was there a moment ago; the training will tell
            return ""

    with quiet_pillow(), ThreadPoolExecutor(_THREADS) as pool:
        jpegs = list(pool.map(jpeg_of, shown))
    for each, jpeg in zip(shown, jpegs, strict=True):
        path, (width, height) = each.item.picture.path, each.fit.bucket
        name = f"{path.parent.name}/{path.name}"
        yield SeenPicture(
            name, each.item.is_class, f"{width} x {height}", ", ".join(_varied(each.variation)), each.text, jpeg
        )


def as_jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return `picture` (RGB) as a JPEG without metadata."""
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=quality, optimize=True)
        return file.getvalue()


def _varied(variation: Variation) -> Iterator[str]:
    if variation.flip:
        yield "mirrored"
    if variation.place is not None:
        yield "cropped at random"
    if variation.angle:
        yield f"turned {variation.angle:+.1f}°"
    if variation.hue or variation.saturation != 1 or variation.gamma != 1:
        yield f"hue {round(variation.hue):+d}°"
    if variation.brightness != 1:
        yield f"light {variation.brightness:.0%}"
