"""What can become of an option of another trainer: the kinds of entries in the tables of `peers`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer_core.config.fields import all_fields

TRUE = ("true", "yes", "1", "on")
FALSE = ("false", "no", "0", "off", "none", "null", "")


@dataclass(frozen=True, slots=True)
class To:
    """The option's value becomes the setting `key`.

    Attributes:
        read: makes the setting's value of the text, or several settings with their values; raises ValueError with
            the reason why there is none.
        off: values by which the other trainer says "none": the setting is left out.
        belongs: why it stands in a run file only, never in a preset; "" if it may stand in both.
    """

    key: str
    read: Callable[[str], Any] | None = None
    off: tuple[str, ...] = ()
    belongs: str = ""

    def settings(self, text: str) -> dict[str, Any]:
        """Return the settings with their values. Raises ValueError with the reason why there are none."""
        value = (self.read or _reader(self.key))(text)
        return value if isinstance(value, dict) else {self.key: value}


@dataclass(frozen=True, slots=True)
class Sets:
    """A switch: where it is on, the settings get these values; a weak one gives way."""

    settings: Mapping[str, Any]
    belongs: str = ""
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """The option is not taken over, for this reason.

    Attributes:
        unless: values, in small letters, that say what holds here anyway; if none, all that turn nothing on.
    """

    reason: str
    is_secret: bool = False
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The option holds `name=value` arguments, each with its own rule; `other` is why all others are left."""

    rules: Mapping[str, "To | Sets | Left"]
    other: str


@dataclass(frozen=True, slots=True)
class Entries:
    """The option holds a list of tables: each becomes one of the list `table` here.

    A setting outside of that table is one for all of them, and taken where they agree.

    Attributes:
        rules: what becomes of the options of such a table.
        one: what a message calls one of them.
    """

    table: str
    rules: Mapping[str, "Rule"]
    one: str


Rule = To | Sets | Left | Parts | Entries


@dataclass(frozen=True, slots=True)
class Peer:
    """Another trainer.

    Attributes:
        name: what messages call it.
        scripts: file names of its scripts.
        options: its options by name, with underscores, without dashes.
        aliases: older names of its options.
        defaults: settings whose default there is another one than here.
        needs: options without effect there, each with the switch that would give it one.
        yields: of settings of which a file can name only one, the one that counts there, and those it replaces.
        instead: rules that the presence of other options changes; those that hold nothing are not among them.
        remark: what else differs there, and when it is worth telling: the setting that it is about.
    """

    name: str
    scripts: tuple[str, ...]
    options: Mapping[str, Rule]
    aliases: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    yields: tuple[str, str] = ("train.epochs", "train.max_steps")
    instead: Callable[[set[str]], "Mapping[str, Rule]"] = lambda names: {}
    remark: tuple[str, str] = ("", "")


def _reader(key: str) -> Callable[[str], Any]:
    kind = all_fields()[key].value.kind
    if kind == "whole number":
        return whole
    if kind == "number":
        return number
    if kind == "true/false":
        return is_on
    return chosen(key) if kind == "choice" else str


def number(text: str) -> float:
    """Read a number, in quotes or with spaces around it too."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    return value


def whole(text: str) -> int:
    """Read a whole number; 1600.0 is one."""
    value = number(text)
    if value != int(value):
        raise ValueError("is not a whole number")
    return int(value)


def is_on(text: str) -> bool:
    """Read true or false in the words of shells, TOML and JSON."""
    if text.strip().lower() in (*TRUE, *FALSE):
        return text.strip().lower() in TRUE
    raise ValueError("is neither true nor false")


def chosen(key: str, **names: Any) -> Callable[[str], Any]:
    """Read one of the setting's choices, in any case; `names` are other words for them."""
    choices = {str(choice).lower(): choice for choice in all_fields()[key].value.choices}

    def read(text: str) -> Any:
        word = text.strip().lower()
        if word in names:
            return names[word]
        if word in choices:
            return choices[word]
        raise ValueError(f"has no counterpart: {key} is one of {', '.join(choices)}")

    return read


def sides(text: str) -> list[int]:
    """Read one side, or width and height."""
    numbers = [whole(each) for each in text.replace("x", ",").replace("X", ",").split(",") if each.strip()]
    if not 1 <= len(numbers) <= 2:
        raise ValueError("is not a side, nor width,height")
    return [numbers[0], numbers[-1]]


def pair(text: str) -> list[float]:
    """Read two numbers, in brackets or not."""
    numbers = [number(each) for each in text.strip("()[] ").split(",") if each.strip()]
    if len(numbers) != 2:
        raise ValueError("are not two numbers")
    return numbers
