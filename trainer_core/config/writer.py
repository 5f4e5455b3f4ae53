"""Writes a configuration as TOML that reads back as the same configuration."""

import textwrap
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import tomlkit
from pydantic import BaseModel

from trainer_core.config.fields import FieldInfo, TableInfo, all_fields, root
from trainer_core.config.merge import failing_condition, value_of
from trainer_core.config.schema import Config

_WIDTH = 79
"""Columns that a line with its comment may take; a terminal over SSH often has 80."""
_INVISIBLE = {"Cf", "Zl", "Zp"}
"""Unicode categories that TOML allows as they are and that can hide text, bidirectional overrides among them."""


def dump_config(
    config: Config,
    *,
    comments: bool = True,
    width: int = _WIDTH,
    extends: str | None = None,
    keys: Collection[str] | None = None,
) -> str:
    """Return the complete configuration as TOML, in the order of the schema.

    Settings that are unset or empty, and settings that nothing uses, are left out. With `comments`, the help and
    unit of a setting stand beside it, or above it where that takes more than `width` columns. With `extends` the
    file builds on the preset of that name, and names only the settings `keys`.
    """
    everything = config.model_dump(by_alias=True)
    lines = [f"schema = {config.schema_version}"]
    lines += [f"extends = {shown_toml(extends)}"] if extends else []
    for table in root().tables:
        lines += _written(table, getattr(config, table.attribute), everything, width if comments else 0, keys)
    return "\n".join(lines) + "\n"


def shown_toml(value: Any) -> str:
    """Return `value` as TOML on one line, without invisible characters."""
    text = tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _written(
    table: TableInfo, value: Any, everything: dict[str, Any], comments: int, keys: Collection[str] | None
) -> Iterator[str]:
    """Yield the lines of a table or of a list of tables, and of the tables below; only the first has comments.

    `comments` is the columns that they may take, 0 for none; of `keys` only those are written, None for all.
    """
    named = [field for field in table.fields if keys is None or field.key in keys]
    for number, model in enumerate(value if table.is_list else [value]):
        with_comments = comments if number == 0 else 0
        settings = list(_settings(named, model, everything, with_comments))
        if settings or (table.is_list and named):
            yield ""
            if with_comments:
                yield from _comment(table.help, comments)
            yield table.header
            yield from settings
        for below in table.tables:
            yield from _written(below, getattr(model, below.attribute), everything, comments, keys)


def _settings(
    fields: Sequence[FieldInfo], model: BaseModel, everything: dict[str, Any], comments: int
) -> Iterator[str]:
    for field in fields:
        value = getattr(model, field.attribute)
        if value is None or (value == "" == field.default) or failing_condition(field, everything):
            continue
        if _is_replaced(field, everything):
            continue
        line = f"{field.name} = {shown_toml(value)}"
        if not comments:
            yield line
        elif len(beside := f"{line}  # {_help(field)}") <= comments:
            yield beside
        else:
            yield from _comment(_help(field), comments)
            yield line


def _is_replaced(field: FieldInfo, everything: dict[str, Any]) -> bool:
    """Tell whether a setting that stands instead of `field` has a value; a file cannot name both."""
    return any(
        other.about.instead_of == field.key and value_of(everything, other) is not None
        for other in all_fields().values()
    )


def _help(field: FieldInfo) -> str:
    if not field.unit or field.unit in field.help.lower():
        return field.help
    return f"{field.help.removesuffix('.')} ({field.unit})."


def _comment(text: str, width: int) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, width - 2)]
