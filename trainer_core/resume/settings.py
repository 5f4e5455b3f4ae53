"""Settings as a flat list, and which of them differ."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainer_core.config.fields import FieldInfo, TableInfo, all_fields, root
from trainer_core.config.schema import Config

Settings = dict[str, Any]
"""Each setting's value in the types of JSON; in a list of tables, "concept[1].repeats"."""

_PLACE = re.compile(r"\[\d+\]")


def settings_of(config: Config) -> Settings:
    """Return every setting of `config` by its dotted key."""
    return dict(_flat(root(), config.model_dump(mode="json", by_alias=True), ""))


def changed_settings(was: Mapping[str, Any], now: Mapping[str, Any], *, lists: bool) -> dict[str, list[Any]]:
    """Return [was, now] of each setting that differs, in the order of the file.

    A setting that was not known then had its default; one that is not known any more decides nothing. With
    `lists=False` those in lists of tables are passed over: `was` does not hold them.
    """
    keys = [*now, *(key for key in was if key not in now)]
    found = {}
    for key in keys:
        field = field_of(key)
        if field is None or ("[" in key and not lists):
            continue
        default = None if "[" in key else _plain(field.default)
        before, after = was.get(key, default), now.get(key)
        if before != after:
            found[key] = [before, after]
    return found


def field_of(key: str) -> FieldInfo | None:
    """Return the setting that a key of `settings_of` stands for."""
    return all_fields().get(_PLACE.sub("", key))


def _flat(table: TableInfo, values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for field in table.fields:
        yield prefix + field.name, values[field.name]
    for below in table.tables:
        inner = values[below.name]
        if not below.is_list:
            yield from _flat(below, inner, f"{prefix}{below.name}.")
            continue
        for number, item in enumerate(inner, 1):
            yield from _flat(below, item, f"{prefix}{below.name}[{number}].")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
