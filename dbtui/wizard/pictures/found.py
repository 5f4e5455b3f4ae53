"""The pictures as the trainer will find them: a scan of the chosen folders under the answers so far."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Event

from dbtui.wizard.answers import resolved
from dbtui.wizard.draft import Draft
from trainer_core.config.schema import Config, Dataset
from trainer_core.data.buckets import Fit, fit_picture
from trainer_core.data.dataset import Fault, Picture, PictureFolder, Scan
from trainer_core.data.scan import scan_dataset
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

CAPTION_KINDS_NOT_FILES = ("folder", "prompt", "filename")


class StoppedError(Exception):
    """The scan was no longer wanted."""


@dataclass(slots=True)
class Progress:
    """How far a scan is; written by its thread, read by the screen. `stop` ends it."""

    done: int = 0
    total: int = 0
    stop: Event = field(default_factory=Event)

    def tell(self, done: int, total: int) -> None:
        """Remember how far it is; end it if it is not wanted."""
        self.done, self.total = done, total
        if self.stop.is_set():
            raise StoppedError


@dataclass(frozen=True, slots=True)
class Seen:
    """A usable picture, and the folder that it lies in."""

    picture: Picture
    folder: PictureFolder


@dataclass(frozen=True, slots=True)
class Row:
    """A folder as the table shows it; texts are safe.

    Attributes:
        name: of the folder.
        words: what pictures without a caption are trained as.
        pictures, repeats, count: usable pictures, how often each counts, and both multiplied.
        captions: how many have a caption of their own, and where it comes from.
        faults: files and folders in it that cannot be used.
    """

    name: str
    words: str
    pictures: int
    repeats: int
    count: int
    captions: str
    faults: int


@dataclass(frozen=True)
class Found:
    """What a scan found.

    Attributes:
        scan: all of it.
        config: the configuration that it was made with.
        pictures: the usable ones, in the order of the folders.
        rows: of the table.
        is_deep: whether every picture was decoded.
    """

    scan: Scan
    config: Config
    pictures: tuple[Seen, ...]
    rows: tuple[Row, ...]
    is_deep: bool

    @property
    def dataset(self) -> Dataset:
        """The settings of the pictures."""
        return self.config.dataset

    def fit(self, seen: Seen) -> Fit:
        """Say how the trainer resizes and crops a picture; errors as `fit_picture`."""
        return fit_picture(seen.picture.size, self.dataset)

    @property
    def skips(self) -> bool:
        """Whether pictures that cannot be read are left out."""
        return self.dataset.on_bad_image == "skip"

    @cached_property
    def problems(self) -> list[str]:
        """What keeps from training, with the next action, the file named first."""
        faults = self.scan.faults if self.skips else (*self.scan.faults, *self.scan.bad_images)
        return [self._told(fault) for fault in faults]

    @cached_property
    def left_out(self) -> list[str]:
        """The pictures that are skipped, with the reason."""
        return [self._told(fault) for fault in self.scan.bad_images] if self.skips else []

    @cached_property
    def remarks(self) -> list[str]:
        """What stops nothing."""
        return [safe_text(self._short(note), 600) for note in self.scan.notes]

    def with_repeats(self, folder: str, repeats: int) -> "Found":
        """Return it with other repeats of a plain folder, given as typed: nothing else depends on them."""
        places = self.places_of(folder)
        rows = tuple(
            replace(row, repeats=repeats, count=repeats * row.pictures) if place in places else row
            for place, row in enumerate(self.rows)
        )
        return replace(self, rows=rows)

    def places_of(self, folder: str) -> list[int]:
        """Return the places, among the rows, of a plain folder given as typed."""
        path = Path(os.path.abspath(from_home(folder)))  # noqa: PTH100 - without following links
        return [place for place, each in enumerate(self.scan.train) if each.path == path]

    def _told(self, fault: Fault) -> str:
        return f"{safe_text(self._short(str(fault.path)), 200)} {safe_text(fault.text, 600)}"

    def _short(self, text: str) -> str:
        """Leave out the path down to the folder, which the table names."""
        for folder in self.scan.train:
            for above, kept in ((f"{folder.path}/", ""), (f"{folder.path.parent}/", "")):
                if text.startswith(above):
                    return kept + text.removeprefix(above)
        return text


def scan_draft(draft: Draft, progress: Progress, *, deep: bool = False) -> Found:
    """Scan what was chosen so far: folders of subjects that have one. Class pictures are another step's.

    Raises:
        UserError: an answer cannot be used.
        StoppedError: the scan was stopped.
    """
    config = resolved(draft)
    dataset = config.dataset.model_copy(update={"reg_dir": None})
    concepts = [
        concept.model_copy(update={"class_dir": None}) for concept in config.concept if concept.instance_dir
    ]
    scan = scan_dataset(dataset, concepts, method=config.method.captions, deep=deep, progress=progress.tell)
    pictures = tuple(Seen(picture, folder) for folder in scan.train for picture in folder.pictures)
    faulty = Counter(_holder(fault.path, scan) for fault in (*scan.faults, *scan.bad_images))
    rows = tuple(_row(folder, faulty[folder.path]) for folder in scan.train)
    return Found(scan, config, pictures, rows, deep)


def _holder(path: Path, scan: Scan) -> Path:
    return path if any(folder.path == path for folder in scan.train) else path.parent


def _row(folder: PictureFolder, faults: int) -> Row:
    return Row(
        name=safe_text(folder.path.name or folder.path, 60),
        words=safe_text(folder.prompt, 60),
        pictures=len(folder.pictures),
        repeats=folder.repeats,
        count=folder.count,
        captions=_captions(folder),
        faults=faults,
    )


def _captions(folder: PictureFolder) -> str:
    sources = Counter(picture.caption_from for picture in folder.pictures if picture.caption)
    files = {source: count for source, count in sources.items() if source not in CAPTION_KINDS_NOT_FILES}
    if files:
        return f"{sum(files.values())}/{len(folder.pictures)} {safe_text(' '.join(sorted(files)), 20)}"
    return "file names" if sources["filename"] else "none"
