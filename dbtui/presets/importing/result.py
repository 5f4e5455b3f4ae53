"""What became of each option of an imported command."""

import re
from dataclasses import dataclass, field
from typing import Any

from trainer_core.config.shareable import secrets
from trainer_core.text import safe_text

_SHOWN = 60
_NUMBER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting with the value that an option gives it.

    Attributes:
        option: the option as it was written, with its value; "" for a default of the other trainer.
        belongs: why it stands in a run file only; "" if it may stand in a preset.
    """

    value: Any
    option: str
    belongs: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An option that is not taken over, and why. Both are safe to show."""

    option: str
    reason: str


@dataclass(slots=True)
class Imported:
    """What an import found.

    Attributes:
        source: the script or file, safe to show.
        settings: what is taken over, by key; of a list of tables with its number: "concept[2].repeats".
        same: options that say what holds here anyway.
        left: options that are not taken over.
        unknown: options that nobody knows.
        notes: what else the person should know.
    """

    source: str
    settings: dict[str, Setting] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    left: list[LeftOut] = field(default_factory=list)
    unknown: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def shown_option(name: str, values: list[str], *, is_secret: bool = False) -> str:
    """Return an option as it was given, short, safe to show, and without what may be a secret."""
    text = " ".join(values)
    if not text:
        return safe_text(name, _SHOWN)
    return (
        f"{safe_text(name, _SHOWN)} {'(hidden)' if is_secret or any(secrets(text)) else safe_text(text, _SHOWN)}"
    )


def numbered(table: str, number: int, key: str) -> str:
    """Return the key of a setting of the `number`th of a list of tables, from 1."""
    return f"{table}[{number}]{key.removeprefix(table)}"


def plain(key: str) -> str:
    """Return a key as it is declared: without the number of a list of tables."""
    return _NUMBER.sub("", key)


def number_of(key: str) -> int:
    """Return which of a list of tables a key belongs to; 1 if it does not say."""
    found = _NUMBER.search(key)
    return int(found[1]) if found else 1
