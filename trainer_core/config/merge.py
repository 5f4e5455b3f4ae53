"""Lays layers over each other and finds the settings that have no effect in the result."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from trainer_core.config.declare import UsedWhen
from trainer_core.config.fields import FieldInfo, all_fields, all_tables
from trainer_core.config.layer import Tables, settings_of
from trainer_core.config.problems import Problems
from trainer_core.config.words import shown_condition, shown_key, shown_value


def lay_over(below: Tables, above: Tables) -> Tables:
    """Return `above` laid over `below`: tables merge key by key, everything else replaces.

    A setting that stands instead of another (epochs instead of max_steps) drops the other one from below; what a
    file says of its own settings (title, measurements) is not taken over by a file that changes them.
    """
    dropped = {second for first, second in alternatives() if _has(above, first)}
    dropped |= {first for first, second in alternatives() if _has(above, second)}
    if _changes_settings(above):
        dropped |= set(_own_words())
    kept = _merge(below, {})
    for key in dropped:
        _remove(kept, key)
    return _merge(kept, above)


def drop_unused(merged: Tables) -> None:
    """Remove the settings that have no effect: those that a later layer turned off."""
    unused = [named for named in settings_of(merged) if failing_condition(named.field, merged)]
    for named in unused:
        del named.table[named.field.name]


def report_conflicts(tables: Tables, source: str, problems: Problems) -> None:
    """Note settings of one layer of which only one can be given."""
    for first, second in alternatives():
        if _has(tables, first) and _has(tables, second):
            problems.add(source, f"{second} and {first} cannot both be given; remove one of them")


def report_unused(tables: Tables, merged: Tables, source: str, problems: Problems) -> None:
    """Note the settings that a layer names although nothing uses them in `merged`, the result up to that layer."""
    for named in settings_of(tables):
        condition = failing_condition(named.field, merged)
        if condition and condition.key not in problems.bad:
            found = shown_value(value_of(merged, all_fields()[condition.key]))
            wanted = shown_condition(condition)
            action = "remove that" if condition.values == (None,) else "set that"
            text = f"is used only with {wanted} (it is {found}); {action} or remove this setting"
            problems.add(source, f"{shown_key(named.path)} {text}")


def failing_condition(field: FieldInfo, merged: Tables) -> UsedWhen | None:
    """Return the condition that makes `field` unused, the first of a chain; None if the field is used."""
    condition = field.used_when
    if condition is None:
        return None
    decider = all_fields()[condition.key]
    if deeper := failing_condition(decider, merged):
        return deeper
    return None if condition.holds(value_of(merged, decider)) else condition


def value_of(tables: Tables, field: FieldInfo) -> Any:
    """Return the value that the tables give a setting outside lists of tables; its default if they do not."""
    inner: Any = tables
    for part in field.key.split("."):
        if part not in inner:
            return field.default
        inner = inner[part]
    return inner


def _merge(below: Tables, above: Tables) -> Tables:
    """Return a new mapping; tables of neither side are shared with it."""
    merged = {name: _merge(value, {}) if isinstance(value, dict) else value for name, value in below.items()}
    for name, value in above.items():
        if isinstance(value, dict):
            merged[name] = _merge(merged.get(name, {}), value)
        elif isinstance(value, list):
            merged[name] = [_merge(item, {}) if isinstance(item, dict) else item for item in value]
        else:
            merged[name] = value
    return merged


def alternatives() -> Iterator[tuple[str, str]]:
    """Yield pairs of settings of which a file can give only one: each with the one it replaces, and with others
    that replace the same one.
    """
    of_one: dict[str, list[str]] = {}
    for field in all_fields().values():
        if field.about.instead_of:
            of_one.setdefault(field.about.instead_of, []).append(field.key)
    for replaced, fields in of_one.items():
        yield from ((field, replaced) for field in fields)
        yield from combinations(fields, 2)


def _own_words() -> Iterator[str]:
    yield from (field.key for field in all_fields().values() if not field.about.inherited)
    yield from (table.key for table in all_tables() if not table.inherited)


def _changes_settings(tables: Tables) -> bool:
    return any(not named.field.binding and named.path[0] != "preset" for named in settings_of(tables))


def _has(tables: Tables, key: str) -> bool:
    return any(named.field.key == key for named in settings_of(tables))


def _remove(tables: Tables, key: str) -> None:
    *above, name = key.split(".")
    inner = tables
    for part in above:
        inner = inner.get(part, {})
    inner.pop(name, None)
