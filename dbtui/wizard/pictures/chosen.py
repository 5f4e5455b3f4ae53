"""Which folder was chosen for which subject: one folder that names everything, or a plain one for each subject."""

from dbtui.wizard.answers import captions_method
from dbtui.wizard.draft import Draft
from dbtui.wizard.subjects.prompts import learned
from dbtui.wizard.subjects.several import concepts_of

TRAIN_DIR = "dataset.train_dir"
_ASIDE = "pictures.folders"
"""The plain folders of the subjects, while one that names everything is chosen."""


def is_laid_out(draft: Draft) -> bool:
    """Whether one folder is chosen whose folders' names say what is in them."""
    return bool(draft.get(TRAIN_DIR))


def subjects(draft: Draft) -> int:
    """Return how many folders are asked for: one for each subject."""
    return 1 if is_laid_out(draft) else len(concepts_of(draft))


def folder_of(draft: Draft, number: int) -> str:
    """Return the folder of a subject as it was typed, "" if none was."""
    if is_laid_out(draft):
        return str(draft.get(TRAIN_DIR))
    return str(concepts_of(draft)[number].get("instance_dir") or "")


def without_folder(draft: Draft) -> list[int]:
    """Return the numbers of the subjects that have no folder yet."""
    return [number for number in range(subjects(draft)) if not folder_of(draft, number).strip()]


def choose_plain(draft: Draft, number: int, folder: str) -> None:
    """Take `folder` for the pictures of one subject; other subjects get back what they had."""
    if is_laid_out(draft):
        draft.set(TRAIN_DIR, None)
        kept = draft.aside.pop(_ASIDE, [])
        for concept, own in zip(draft.concepts, kept if isinstance(kept, list) else [], strict=False):
            _set(concept, "instance_dir", own)
    _set(draft.concept(number), "instance_dir", folder)


def choose_laid_out(draft: Draft, folder: str) -> None:
    """Take `folder` for everything; the subjects' own folders are put aside."""
    if not is_laid_out(draft):
        draft.aside[_ASIDE] = [str(concept.get("instance_dir") or "") for concept in draft.concepts]
    for concept in draft.concepts:
        concept.pop("instance_dir", None)
    draft.set(TRAIN_DIR, folder)


def repeats_of(draft: Draft, number: int) -> int:
    """Return how often each picture of a subject counts; not asked where the folders' names say it."""
    answered = concepts_of(draft)[number].get("repeats")
    return answered if isinstance(answered, int) else 1


def set_repeats(draft: Draft, number: int, repeats: int | None) -> None:
    """Answer how often each picture of a subject counts; None takes the answer back."""
    _set(draft.concept(number), "repeats", repeats)


def words_of(draft: Draft) -> list[str]:
    """Return what the pictures of each subject are trained as where they have no caption; "" if it is not said."""
    taught = learned(concepts_of(draft), goal=draft.goal, captions=captions_method(draft))
    return [each.prompt for each in taught]


def _set(concept: dict[str, object], name: str, value: object) -> None:
    if value in (None, ""):
        concept.pop(name, None)
    else:
        concept[name] = value
