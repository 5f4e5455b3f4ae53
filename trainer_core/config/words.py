"""What a setting takes and what was found instead, in the words of TOML."""

import difflib
import math
from typing import Any

from trainer_core.config.declare import UsedWhen
from trainer_core.config.fields import FieldInfo, TableInfo, ValueInfo, all_fields
from trainer_core.text import safe_text

Path = tuple[str | int, ...]
"""Where a value stands in the file: names, and places (from 0) in a list of tables."""

_SHOWN_TEXT = 60
_LONGEST_COMPARED = 64
_LARGEST_SHOWN = 10**20


def shown_key(path: Path) -> str:
    """Return the dotted key of `path`; inside a list of tables it says which of them."""
    key = ".".join(safe_text(part, limit=_SHOWN_TEXT) for part in path if isinstance(part, str))
    for position, part in enumerate(path):
        if isinstance(part, int):
            table = ".".join(safe_text(name) for name in path[:position] if isinstance(name, str))
            return f"{key} (in [[{table}]] number {part + 1})"
    return key


def shown_value(value: Any) -> str:
    """Return `value` as it would stand in the file, short and safe; a table or list only by its type."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{safe_text(value, limit=_SHOWN_TEXT)}"'
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST_SHOWN else "a whole number of more than 20 digits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple):
        short = len(value) <= 4 and all(isinstance(item, bool | int | float | str) for item in value)
        return f"[{', '.join(shown_value(item) for item in value)}]" if short else f"a list of {len(value)}"
    return "a table" if isinstance(value, dict) else "a date or time"


def shown_condition(condition: UsedWhen) -> str:
    """Return the condition under which a setting is used: `a.b = 1 or 2`, `a.b other than 0`, `a.b left out`."""
    if condition.values == (None,):
        return f"{condition.key} left out"
    if condition.values:
        return f"{condition.key} = " + " or ".join(shown_value(value) for value in condition.values)
    if condition.unless == (None,):
        return f"{condition.key} set"
    return f"{condition.key} other than {shown_value(condition.unless[0])}"


def expected(value: ValueInfo) -> str:
    """Return what `value` must be: "a whole number from 1 to 1024", say."""
    if value.kind == "choice":
        return "one of " + ", ".join(shown_value(choice) for choice in value.choices)
    if value.kind == "list":
        first = expected(value.items[0]).removeprefix("a ")
        return f"a list of {len(value.items)} {_plural(first)}"
    if value.kind == "text":
        return _expected_text(value)
    return value.kind if value.kind == "true/false" else f"a {value.kind}{allowed(value)}"


def allowed(value: ValueInfo) -> str:
    """Return the bounds of a number with a leading space, empty where it has none."""
    if value.ge is not None and value.le is not None:
        words = f" from {value.ge} to {value.le}"
    else:
        parts = [
            f"{phrase} {bound}"
            for phrase, bound in (
                ("greater than", value.gt),
                ("at least", value.ge),
                ("less than", value.lt),
                ("at most", value.le),
            )
            if bound is not None
        ]
        words = f" {' and '.join(parts)}" if parts else ""
    return words + (f", a multiple of {value.multiple_of}" if value.multiple_of is not None else "")


def wrong_value(path: Path, field: FieldInfo, value: Any) -> str:
    """Return the message for a value that the setting does not take."""
    return (
        f"{shown_key(path)} must be {expected(field.value)}, not {shown_value(value)}{_hint(field.value, value)}"
    )


def unknown_name(path: Path, table: TableInfo, value: Any) -> str:
    """Return the message for a name that `table` does not have, with the nearest right spelling."""
    name = str(path[-1])
    thing = "table" if isinstance(value, dict) and not table.key else "setting"
    if name in ("schema", "extends") and table.key:
        return (
            f"{shown_key(path)} is not a setting ({name} belongs at the top of the file, before the first table)"
        )
    suggestion = _suggestion(name, table)
    return f"{shown_key(path)} is not a {thing}" + (f" ({suggestion})" if suggestion else "")


def _suggestion(name: str, table: TableInfo) -> str:
    if len(name) > _LONGEST_COMPARED:
        return ""
    here = [field.name for field in table.fields] + [below.name for below in table.tables]
    here += [] if table.key else ["extends", "schema"]
    elsewhere: dict[str, list[str]] = {}
    for field in all_fields().values():
        elsewhere.setdefault(field.name, []).append(field.table)
    if homes := elsewhere.get(name):
        return "it belongs to " + " or ".join(f"[{home}]" for home in homes[:3])
    if near := difflib.get_close_matches(name, here, n=1):
        return f"did you mean {near[0]}?"
    if near := difflib.get_close_matches(name, elsewhere, n=1, cutoff=0.7):
        return f"did you mean {elsewhere[near[0]][0]}.{near[0]}?"
    return ""


def _expected_text(value: ValueInfo) -> str:
    if value.words:
        return f"text: {value.words}"
    if value.max_length:
        return f"text of at most {value.max_length} characters"
    return "text that is not empty" if value.min_length else "text"


def _plural(words: str) -> str:
    return words.replace("number", "numbers", 1).replace(", a multiple", ", each a multiple", 1)


def _hint(expects: ValueInfo, value: Any) -> str:
    if not isinstance(value, str):
        return _hint_for_text(expects, value)
    if expects.kind == "choice":
        near = difflib.get_close_matches(
            value[:_LONGEST_COMPARED], [str(choice) for choice in expects.choices], n=1
        )
        return f' (did you mean "{near[0]}"?)' if near else ""
    if expects.kind in ("number", "whole number") and _is_number(value):
        return " (remove the quotes)"
    return " (remove the quotes)" if expects.kind == "true/false" and value in ("true", "false") else ""


def _hint_for_text(expects: ValueInfo, value: Any) -> str:
    is_scalar = isinstance(value, bool | int | float)
    return " (write it in quotes)" if expects.kind == "text" and is_scalar else ""


def _is_number(text: str) -> bool:
    try:
        return len(text) < _LONGEST_COMPARED and math.isfinite(float(text))
    except ValueError:
        return False
