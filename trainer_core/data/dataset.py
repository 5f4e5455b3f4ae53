"""What a scan of the folders found: what the scanner fills and the trainer reads. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A usable image file.

    Attributes:
        path: the file.
        size: width and height in pixels after the EXIF orientation is applied.
        caption: the text that is trained with it.
        caption_from: where the caption came from: ".caption", ".txt", another extension, "folder" or "prompt".
    """

    path: Path
    size: Size
    caption: str
    caption_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFolder:
    """One folder of training or of class (regularization) pictures.

    Attributes:
        path: the folder.
        kind: "train" for pictures of the subject, "class" for regularization pictures.
        repeats: how often each picture counts in an epoch.
        identifier: the rare word, None where the folder has none (class folders, native training).
        class_name: the kind of thing, "" where it is unknown.
        prompt: what pictures without a caption are trained with.
        pictures: the usable ones, sorted by name.
    """

    path: Path
    kind: Literal["train", "class"]
    repeats: int
    identifier: str | None
    class_name: str
    prompt: str
    pictures: tuple[Picture, ...]

    @property
    def count(self) -> int:
        """Pictures x repeats: what the folder contributes to an epoch before any matching."""
        return self.repeats * len(self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A file or folder that cannot be used as it is, with the next action in the text."""

    path: Path
    text: str


CheckKind = Literal["transparent", "low_resolution", "extreme_shape", "blurred", "copy", "near_copy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something about a picture that trains worse than it could; for copies, `like` is what it is a copy of."""

    kind: CheckKind
    path: Path
    like: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPicture:
    """A class picture that is still to be drawn.

    Attributes:
        path: its file to be.
        prompt: what it is drawn from.
        seed: of its noise.
        words: its part of the prompt where that has [filewords].
        caption: the file for these words, None where there are none.
    """

    path: Path
    prompt: str
    seed: int
    words: str = ""
    caption: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPictures:
    """The pictures of one class that the start model draws.

    Attributes:
        folder: where they go.
        class_name: the class.
        prompt, negative_prompt: what they shall and shall not show.
        present: class pictures that exist.
        foreign: how many of those were not drawn for these prompts, this model and this size.
        missing: those to be drawn.
    """

    folder: Path
    class_name: str
    prompt: str
    negative_prompt: str
    present: int
    foreign: int
    missing: tuple[ClassPicture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The dataset as the trainer will see it.

    Attributes:
        train: folders of the subject's pictures.
        classes: folders of regularization pictures.
        faults: what must be mended before training can start.
        bad_images: unreadable pictures: faults as well, unless `on_bad_image = "skip"` leaves them out.
        notes: remarks that stop nothing (enlarged pictures, alpha, ignored files, the leaf folder given).
        drawn: class pictures that the start model draws; those still missing are among `classes` already, with
            the size that they will have.
        checks: what of `notes` is about single pictures: small, transparent, blurred, long ones, and copies.
        held_out: pictures of `train` that were taken out of it: they are measured, not trained.
    """

    train: tuple[PictureFolder, ...]
    classes: tuple[PictureFolder, ...]
    faults: tuple[Fault, ...]
    bad_images: tuple[Fault, ...]
    notes: tuple[str, ...]
    drawn: tuple[ClassPictures, ...] = ()
    checks: tuple[Check, ...] = ()
    held_out: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A picture in an epoch: how often it occurs, and whether it counts as a class picture in the loss."""

    picture: Picture
    is_class: bool
    repeats: int
