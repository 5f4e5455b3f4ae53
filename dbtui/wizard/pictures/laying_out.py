"""Lays plain folders out as folders named like "20_sls frog": into a new folder, from links or copies.

The person's own files are read, never renamed, written or removed.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from trainer_core.data.captions import extensions_of, index_captions
from trainer_core.data.folder_names import FolderName, parse_folder_name, split_prompt
from trainer_core.data.listing import list_folder, stem_key
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import MAX_NAME_BYTES, exists, is_folder
from trainer_core.run.atomic import STAGING_PREFIX, sync_folder
from trainer_core.text import safe_text

Way = Literal["hard", "symbolic", "copy"]
WAYS: tuple[Way, ...] = get_args(Way)
_NO_LINKS = {
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EINVAL,
}
"""What a file system answers that has no such links, or not to there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What one new folder is made of: its words and repeats, and the pictures in one folder that go into it.

    `identifier` and `class_name` are what its name must be read as.
    """

    words: str
    repeats: int
    identifier: str | None
    class_name: str
    folder: Path
    pictures: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The new folder's name."""
        return f"{self.repeats}_{self.words}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be made.

    Attributes:
        target: the new folder.
        files: each file that is linked or copied, and its place below `target`.
        pictures: how many of them are pictures; the others are captions.
        size: bytes of all of them.
    """

    target: Path
    files: tuple[tuple[Path, Path], ...]
    pictures: int
    size: int


@dataclass(slots=True)
class Made:
    """What was made: how many files were linked, how many copied although links were asked for."""

    linked: int = 0
    copied: int = 0
    moved: dict[Path, Path] = field(default_factory=dict)
    """The new path of each file."""


def proposed_target(folder: Path) -> Path:
    """Return a folder beside `folder` that does not exist yet."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - without following links
    target = folder.with_name(f"{folder.name}-train")
    number = 2
    while exists(target):
        target = folder.with_name(f"{folder.name}-train-{number}")
        number += 1
    return target


def plan_layout(target: Path, subjects: Sequence[Subject], caption_extension: str | None) -> Plan:
    """Say what will be made of `subjects` at `target`, with the captions that belong to the pictures.

    Raises:
        UserError: it cannot be made; every reason (code DATASET).
    """
    problems = [*_about_target(target, subjects), *_about_names(subjects)]
    if problems:
        raise UserError(problems, ExitCode.DATASET)
    try:
        files = tuple(
            (source, Path(subject.name, source.name))
            for subject in subjects
            for source in (*subject.pictures, *_captions_of(subject, caption_extension))
        )
    except OSError as error:
        raise UserError(
            f"the pictures can no longer be read ({error.strerror or error})", ExitCode.DATASET
        ) from None
    size = sum(_size(source) for source, _ in files)
    return Plan(target, files, sum(len(subject.pictures) for subject in subjects), size)


def lay_out(plan: Plan, way: Way, progress: Callable[[int, int], None] = lambda done, total: None) -> Made:
    """Make the new folder, whole or not at all: what was made is removed when something fails.

    Where a link is not possible (another file system, not one's own file), the file is copied.

    Raises:
        UserError: it cannot be written, or something came in the way meanwhile (code DISK).
    """
    staging = plan.target.parent / f"{STAGING_PREFIX}{plan.target.name[:100]}-{uuid.uuid4().hex[:12]}"
    made = Made()
    try:
        staging.mkdir()
        for folder in {place.parent for _, place in plan.files}:
            (staging / folder).mkdir()
        for done, (source, place) in enumerate(plan.files):
            progress(done, len(plan.files))
            _bring(source, staging / place, way, made)
            made.moved[source] = plan.target / place
        if exists(plan.target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        staging.rename(plan.target)
        sync_folder(plan.target.parent)
    except OSError as error:
        _remove(staging)
        text = f"{safe_text(plan.target, 200)} cannot be made ({safe_text(error.strerror or error)}); what was "
        raise UserError(f"{text}begun is removed again: choose another place", ExitCode.DISK) from error
    except BaseException:
        _remove(staging)
        raise
    return made


def _about_target(target: Path, subjects: Sequence[Subject]) -> list[str]:
    shown = safe_text(target, 200)
    if exists(target):
        return [f"{shown} exists already: choose a new folder, nothing is ever overwritten"]
    if not is_folder(target.parent):
        return [f"{safe_text(target.parent, 200)}, where the new folder goes, is no folder: choose another place"]
    inside = [each for each in subjects if target.resolve().is_relative_to(each.folder.resolve())]
    return [f"{shown} lies inside the pictures' own folder: choose a place beside it"] if inside else []


def _about_names(subjects: Sequence[Subject]) -> list[str]:
    problems, taken = [], set[str]()
    for subject in subjects:
        name, shown = subject.name, safe_text(subject.name, 80)
        meant = subject.identifier, subject.class_name
        if not subject.words.strip():
            problems.append("a folder's name needs words: answer identifier and class in step 3 first")
        elif "/" in name or "\0" in name or len(os.fsencode(name)) > MAX_NAME_BYTES:
            problems.append(f'"{shown}" cannot be the name of a folder: shorten the words, and leave out "/"')
        elif parse_folder_name(name, "train") != FolderName(repeats=subject.repeats, prompt=subject.words):
            problems.append(f'"{shown}" would be read as other words: change them in step 3')
        elif split_prompt(subject.words, "train") != meant:
            read = " and ".join(
                f'"{safe_text(word, 40)}"' for word in split_prompt(subject.words, "train") if word
            )
            problems.append(
                f'"{shown}" would be read as {read}: a plain folder has room for such words, a name not'
            )
        elif name.casefold() in taken:
            problems.append(f'two subjects would share the folder "{shown}": give them different words in step 3')
        taken.add(name.casefold())
    return problems


def _captions_of(subject: Subject, extension: str | None) -> list[Path]:
    index = index_captions(list_folder(subject.folder).files, extensions_of(extension))
    stems = {stem_key(picture) for picture in subject.pictures}
    return [file for stem, files in index.items() if stem in stems for file in files if file.is_file()]


def _bring(source: Path, place: Path, way: Way, made: Made) -> None:
    try:
        if way == "hard":
            os.link(os.path.realpath(source), place)
        elif way == "symbolic":
            place.symlink_to(os.path.abspath(source))  # noqa: PTH100 - without following links
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        way = "copy"
    if way == "copy":
        shutil.copy2(source, place)
        made.copied += 1
    else:
        made.linked += 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(staging: Path) -> None:
    """Remove what was made: links and copies, never what they lead to."""
    shutil.rmtree(staging, ignore_errors=True)
