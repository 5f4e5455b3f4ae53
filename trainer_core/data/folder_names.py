"""Names of picture folders: `<repeats>_<identifier> <class>` and `<repeats>_<class>`.

The layout of kohya's train_db: what stands before the first `_` is the repeat count, the rest is the prompt.
"""

import re
from dataclasses import dataclass
from typing import Literal

from trainer_core.on_disk import is_utf8

Kind = Literal["train", "class"]

MAX_REPEATS = 10_000
"""As `concept.repeats`; a larger number is a date or a serial number, not a repeat count."""

EXAMPLES: dict[Kind, str] = {"train": "20_sls frog", "class": "1_frog"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderName:
    """What a folder's name says."""

    repeats: int
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongName:
    """A name that cannot be used, why, and whether it looks like an attempt at the layout."""

    text: str
    attempt: bool


def parse_folder_name(name: str, kind: Kind) -> FolderName | WrongName:
    """Read `name`; surrounding spaces are no part of the prompt."""
    count, underscore, words = name.strip().partition("_")
    repeats = _whole_number(count)
    prompt = " ".join(words.split())
    if not underscore or repeats is None:
        return _no_count(name.strip(), kind)
    if not is_utf8(prompt):
        text = (
            f'the name is not UTF-8 text, so it cannot be a prompt. Rename it to, for example, "{EXAMPLES[kind]}"'
        )
        return WrongName(text=text, attempt=True)
    if not prompt:
        text = f'no words follow the repeat count. Rename it to, for example, "{EXAMPLES[kind]}"'
        return WrongName(text=text, attempt=True)
    if repeats < 1:
        text = (
            f"the repeat count {repeats} would leave its pictures out. "
            f'Rename it to "1_{prompt}", or move the folder away'
        )
        return WrongName(text=text, attempt=True)
    if repeats > MAX_REPEATS:
        text = f'the repeat count {repeats} is over {MAX_REPEATS}. Rename it to, for example, "1_{prompt}"'
        return WrongName(text=text, attempt=True)
    return FolderName(repeats=repeats, prompt=prompt)


def split_prompt(prompt: str, kind: Kind) -> tuple[str | None, str]:
    """Split a folder's prompt into identifier and class.

    In a training folder the first word is the identifier and the rest the class; a single word is a class without
    identifier (native training of that class). A prompt that names a style is split by `split_style`. A class
    folder's whole prompt is the class.
    """
    if kind == "train" and (style := split_style(prompt)):
        return style
    identifier, space, class_name = prompt.partition(" ")
    if kind == "class" or not space:
        return None, prompt
    return identifier, class_name


def join_words(identifier: str | None, class_name: str | None) -> str:
    """Return the prompt that identifier and class make, either of which may be missing: `sls frog`.

    An identifier that names a style stands behind what is shown: `1girl, by sls`.
    """
    if identifier and class_name and identifier.lower().startswith("by "):
        return f"{class_name}, {identifier}"
    return " ".join(filter(None, (identifier, class_name)))


def split_style(prompt: str) -> tuple[str, str] | None:
    """Split the prompt of a style, `by sls` or `1girl, by sls`, into identifier and class; None if it is none.

    The class is what the pictures show, empty where the prompt does not say it.
    """
    match = re.fullmatch(r"(?:(.*?),? )?by ([^ ,]+)", " ".join(prompt.split()), re.IGNORECASE)
    return (match[2], match[1] or "") if match else None


def _whole_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _no_count(name: str, kind: Kind) -> WrongName:
    if near := re.fullmatch(r"(\d{1,6})\s*[\s\-.,=x]\s*(\S.*)", name):
        found = "a space" if name[near.end(1)].isspace() else f'"{name[near.end(1)]}"'
        words = near[2].lstrip("_ ")
        text = f'the name has {found} where the "_" belongs. Rename it to "{near[1]}_{words}"'
        return WrongName(text=text, attempt=True)
    words = name.strip("_ ") or EXAMPLES[kind].partition("_")[2]
    text = f'the name does not begin with a repeat count and "_". Rename it to, for example, "1_{words}"'
    return WrongName(text=text, attempt=False)
