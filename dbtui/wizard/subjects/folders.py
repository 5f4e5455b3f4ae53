"""Subjects whose names come from folders such as "20_sls frog", and how to name them by hand instead."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from dbtui.wizard.draft import Draft, Goal, Tables
from dbtui.wizard.subjects.prompts import Learned, learned_of
from trainer_core.config.schema import Dataset
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.folder_names import split_style
from trainer_core.data.folders import Source, find_sources
from trainer_core.data.trained_words import settle_words
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

_LAYOUT, _OWN = "subject.train_dir", "subject.own"


@dataclass(frozen=True, slots=True)
class FolderSubject:
    """One folder of pictures, what its name says, and the `[[concept]]` table that says the same."""

    folder: str
    concept: Tables
    learned: Learned


@dataclass(frozen=True, slots=True)
class Layout:
    """What the names of the folders say.

    Attributes:
        subjects: one for each folder.
        problems: what is wrong with the folders, safe to show.
    """

    subjects: list[FolderSubject] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_layout(train_dir: str, goal: Goal, captions: str = "dreambooth") -> Layout:
    """Read the names of the folders in `train_dir`; what keeps from it becomes a problem.

    `captions` is the method.
    """
    try:
        found = find_sources(Dataset(train_dir=train_dir), [], None, cast("CaptionMethod", captions))
    except OSError as error:
        return Layout(problems=[f"{safe_text(train_dir, 200)} cannot be read ({safe_text(error.strerror)})"])
    settle_words(found, cast("CaptionMethod", captions))
    problems = [f"{safe_text(fault.path, 200)}: {safe_text(fault.text)}" for fault in found.faults]
    return Layout([_subject(source, goal, captions) for source in found.folders], problems)


def name_by_hand(draft: Draft, subjects: Iterable[FolderSubject]) -> None:
    """Turn the folders into concepts whose names can be changed; the pictures stay where they are."""
    layout, before = draft.get("dataset.train_dir"), [*draft.concepts]
    own = draft.aside.get(_OWN)
    if isinstance(own, dict) and own.get("train_dir") == layout and isinstance(own.get("concepts"), list):
        draft.concepts[:] = own["concepts"]  # as they were named the last time
    else:
        with_folder = [each for each in before if each.get("instance_dir") or each.get("class_dir")]
        draft.concepts[:] = [*with_folder, *(dict(subject.concept) for subject in subjects)]
    draft.aside[_LAYOUT] = {"train_dir": layout, "concepts": before}
    draft.set("dataset.train_dir", None)


def name_by_folders(draft: Draft) -> None:
    """Take the names from the folders again; those given by hand are kept for another change of mind."""
    aside = draft.aside.pop(_LAYOUT)
    draft.aside[_OWN] = {"train_dir": aside["train_dir"], "concepts": [*draft.concepts]}
    draft.set("dataset.train_dir", aside["train_dir"])
    draft.concepts[:] = aside["concepts"]


def has_layout_aside(draft: Draft) -> bool:
    """Whether there are folders whose names are not used just now, though their pictures are."""
    aside = draft.aside.get(_LAYOUT)
    if not isinstance(aside, dict) or draft.get("dataset.train_dir") is not None:
        return False
    inside = from_home(str(aside.get("train_dir")))
    used = (str(each.get("instance_dir", "")) for each in draft.tables.get("concept", []))
    return isinstance(aside.get("concepts"), list) and any(Path(folder).is_relative_to(inside) for folder in used)


def _subject(source: Source, goal: Goal, captions: str) -> FolderSubject:
    concept: Tables = {"instance_dir": str(source.path), "repeats": source.repeats}
    if source.identifier:
        concept["identifier"] = f"by {source.identifier}" if split_style(source.prompt) else source.identifier
    if source.class_name:
        concept["class"] = source.class_name
    return FolderSubject(source.path.name, concept, learned_of(source, goal, captions))
