"""Finds the command that trains in a pasted text, and reads its options: names with their values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from dbtui.presets.importing.statements import split_statements
from dbtui.presets.importing.variables import Expanded, Variables

_NUMBER = re.compile(r"-\.?\d")
_LAUNCHERS = ("accelerate", "python", "python3", "python.exe", "py", "accelerate.exe", "torchrun", "deepspeed")
LONGEST_TEXT = 256 * 1024
_DEEPEST = 4
"""Lists within lists that an option's value may have."""


@dataclass(slots=True)
class Given:
    """An option as it was given.

    Attributes:
        values: its values, as words.
        unknown: the variables in them that the text does not set.
        dashes: what stands before its name: nothing in a settings file, where no name is shortened.
        written: its value in the person's file, where `values` is what that comes to; "" if they are the same.
        entries: the tables of a list of them, such as concepts, each with its own options.
    """

    name: str
    values: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    dashes: str = "--"
    written: str = ""
    entries: list[list["Given"]] = field(default_factory=list)


@dataclass(slots=True)
class Command:
    """A command that trains, or does something else with a model.

    Attributes:
        script: the script's file name; "" where a variable that is not set names it.
        launcher: the options of the launcher in front (accelerate).
        options: the script's own.
        loose: words that belong to no option, such as a variable that is not set.
        ignored: options that the other trainer does not follow beside the rest, with the reason.
        defaults: settings whose default there is another one than here; None for those of the trainer's table.
        notes: what else is worth telling of it.
    """

    script: str
    launcher: list[Given]
    options: list[Given]
    loose: list[Expanded]
    ignored: list[tuple[Given, str]] = field(default_factory=list)
    defaults: Mapping[str, Any] | None = None
    notes: list[str] = field(default_factory=list)


def read_commands(text: str) -> list[Command]:
    """Return the commands of a text that start a Python script with options, in their order."""
    variables = Variables()
    commands = []
    for statement in split_statements(text):
        words = [each for word in variables.take(statement) for each in variables.expand(word)]
        if command := _command(words):
            commands.append(command)
    return commands


def _command(words: Sequence[Expanded]) -> Command | None:
    """Return what the words start; None unless they are a launcher or a script with options."""
    if not words:
        return None
    starts_launcher = PurePosixPath(words[0].text.replace("\\", "/")).name.lower() in _LAUNCHERS
    at = _script_at(words)
    if at is None and starts_launcher:
        at = _unnamed_script_at(words)
    if at is None:
        return _bare(words)
    launcher, _ = _options(words[:at])
    options, loose = _options(words[at + 1 :])
    name = "" if words[at].unknown else words[at].text.replace("\\", "/").rpartition("/")[2]
    return Command(name, launcher, options, loose) if options or loose else None


def _bare(words: Sequence[Expanded]) -> Command | None:
    """Return options that were pasted without the command in front of them."""
    if not words[0].text.startswith("--"):
        return None
    options, loose = _options(words)
    return Command("", [], options, loose)


def _script_at(words: Sequence[Expanded]) -> int | None:
    for place, word in enumerate(words):
        if not word.text.startswith("-") and word.text.endswith(".py"):
            return place
    return None


def _unnamed_script_at(words: Sequence[Expanded]) -> int | None:
    """A script that a variable names: the last such word before the options that follow it."""
    place = next(
        (place for place, word in enumerate(words) if word.unknown and not word.text.startswith("-")), None
    )
    return place if place is not None and place + 1 < len(words) else None


def _options(words: Sequence[Expanded]) -> tuple[list[Given], list[Expanded]]:
    """Read `--name value ...` and `--name=value`; a value behind = is the only one, so what follows is loose."""
    options: list[Given] = []
    loose = []
    is_open = False
    for word in words:
        text = word.text
        if text.startswith("-") and not _NUMBER.match(text) and text.strip("-"):
            dashes = text[: len(text) - len(text.lstrip("-"))]
            name, sign, value = text[len(dashes) :].partition("=")
            options.append(Given(name.replace("-", "_"), [value] if sign else [], list(word.unknown), dashes))
            is_open = not sign
        elif is_open and not (word.unknown and options[-1].values):
            options[-1].values.append(text)
            options[-1].unknown += word.unknown
        else:
            loose.append(word)
    return options, loose


def as_words(value: Any, depth: int = 0) -> list[str]:
    """Return a value of a settings file as the words of a command line; of a table, that it is one."""
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, dict) and value:
        return [f"a table of {len(value)}"]
    if isinstance(value, list) and depth < _DEEPEST:
        return [word for item in value for word in as_words(item, depth + 1)]
    return ["" if isinstance(value, list | dict) else str(value)]


def setting(name: str, value: Any) -> Given:
    """Return a setting of a file as an option; one that holds nothing has an empty word."""
    return Given(name, as_words(value) or [""], [], "")
