"""Between the value of a setting and the text that a person types for it."""

import re
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

from trainer_core.config.fields import FieldInfo, Kind, ValueInfo, all_fields
from trainer_core.config.layer import Layer, check
from trainer_core.config.paths import PathError, resolve
from trainer_core.config.problems import Problems, dotted
from trainer_core.config.words import Path, shown_key

_SOURCE = "form"
_TRUE_FALSE = {"true": True, "false": False, "yes": True, "no": False}
_BETWEEN_NUMBERS = re.compile(r"[\s,x\u00d7]+")
_MOST_WHOLE = 10**15
"""Numbers beyond are shown with their exponent."""


class WrongTextError(ValueError):
    """A text that is no value of its setting; says why in the words of the configuration's reader."""


def text_of(value: Any) -> str:
    """Return what one would type for `value`; "" where it is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _MOST_WHOLE:
        return str(int(value))
    return str(value)


def read_text(path: Path, text: str, folder: FilePath) -> Any:
    """Return the value that `text` means for the setting at `path`; None takes an answer back.

    A relative path begins at `folder`.

    Raises:
        WrongTextError: the setting does not take it.
    """
    field = all_fields()[dotted(path)]
    if not text.strip() and (not text or field.value.kind != "text" or field.path):
        if field.required:
            raise WrongTextError("is missing; it must be given")
        return None
    value = _READERS[field.value.kind](field.value, text)
    if problem := problem_with(path, value):
        raise WrongTextError(problem)
    return _resolved(field, value, folder)


def problem_with(path: Path, value: Any) -> str:
    """Return what the reader of configurations says of `value` at `path`, without the key; "" if nothing."""
    problems = Problems()
    check(Layer(_SOURCE, _tables_with(path, value), FilePath()), problems)
    if dotted(path) not in problems.bad:
        return ""
    start = f"{_SOURCE}: {shown_key(_first(path))} "
    lines = (line for line in problems.error().problems if line.startswith(start))
    return next(lines).removeprefix(start)


def _first(path: Path) -> Path:
    return tuple(0 if isinstance(part, int) else part for part in path)


def _tables_with(path: Path, value: Any) -> dict[str, Any]:
    """Return tables that hold nothing but `value`."""
    inner: Any = value
    for part in reversed(path):
        inner = [inner] if isinstance(part, int) else {part: inner}
    assert isinstance(inner, dict)
    return inner


def _resolved(field: FieldInfo, value: Any, folder: FilePath) -> Any:
    if not field.path:
        return value
    try:
        return resolve(value.strip(), field.path, folder)
    except PathError as error:
        raise WrongTextError(str(error)) from None


# Each returns the value if the text is one, else something that the reader refuses in its own words.


def _text(_: ValueInfo, text: str) -> Any:
    return text


def _number(_: ValueInfo, text: str) -> Any:
    return _number_in(text)


def _true_false(_: ValueInfo, text: str) -> Any:
    return _TRUE_FALSE.get(text.strip().lower(), text.strip())


def _choice(value: ValueInfo, text: str) -> Any:
    typed = text.strip()
    return next((choice for choice in value.choices if text_of(choice) == typed), typed)


def _list(value: ValueInfo, text: str) -> Any:
    """Take `512, 768`, and of numbers `512 x 768`, `512 768` and `[512, 768]` too."""
    if all(item.kind in ("number", "whole number") for item in value.items):
        parts = _BETWEEN_NUMBERS.split(text.strip(" []"))
    else:
        parts = [part.strip() for part in text.split(",")]
    kinds = [item.kind for item in value.items]
    kinds += kinds[-1:] * (len(parts) - len(kinds))
    items = value.items + value.items[-1:] * len(parts)
    return [_READERS[kind](item, part) for kind, item, part in zip(kinds, items, parts, strict=False)]


def _number_in(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text.strip()


_READERS: dict[Kind, Callable[[ValueInfo, str], Any]] = {
    "text": _text,
    "number": _number,
    "whole number": _number,
    "true/false": _true_false,
    "choice": _choice,
    "list": _list,
}
