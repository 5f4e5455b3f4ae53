"""One layer of a configuration: a file, a preset that it extends, or what `--set` gave; checked by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from trainer_core.config.fields import FieldInfo, TableInfo, all_fields, root
from trainer_core.config.problems import Problems, dotted
from trainer_core.config.schema import Config
from trainer_core.config.words import Path, shown_key, shown_value, unknown_name, wrong_value

Tables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """Tables as they were read.

    Attributes:
        name: what messages call it, safe to show.
        tables: what it holds, without `schema` and `extends`.
        folder: where its relative paths begin; None for a preset, which may hold no bindings.
    """

    name: str
    tables: Tables
    folder: FilePath | None


@dataclass(frozen=True, slots=True)
class Named:
    """One setting that a layer names: where it stands and the table that holds its value."""

    path: Path
    field: FieldInfo
    table: Tables

    @property
    def value(self) -> Any:
        """Its value."""
        return self.table[self.field.name]


def check(layer: Layer, problems: Problems) -> Tables:
    """Return what of the layer is right, noting everything else; the layer itself is left as it is."""
    tables = _known(root(), layer.tables, (), layer.name, problems)
    try:
        Config.model_validate(tables)
    except ValidationError as error:
        for path, missing in _places(error):
            _report(layer.name, tables, path, missing, problems)
    for named in settings_of(tables):
        if isinstance(named.value, str) and "\0" in named.value:
            problems.add_value(layer.name, named.path, f"{shown_key(named.path)} contains a NUL character")
    return _without_bad(tables, problems)


def settings_of(tables: Tables) -> Iterator[Named]:
    """Yield every setting that checked tables name."""
    yield from _named(root(), tables, ())


def _named(table: TableInfo, tables: Tables, path: Path) -> Iterator[Named]:
    for field in table.fields:
        if field.name in tables:
            yield Named((*path, field.name), field, tables)
    for below in table.tables:
        inner = tables.get(below.name)
        if below.is_list:
            for place, item in enumerate(inner or ()):
                yield from _named(below, item, (*path, below.name, place))
        elif inner is not None:
            yield from _named(below, inner, (*path, below.name))


def _known(table: TableInfo, tables: Tables, path: Path, source: str, problems: Problems) -> Tables:
    """Return a copy without names that the schema does not have and without tables that are none."""
    kept: Tables = {}
    for name, value in tables.items():
        here = (*path, name)
        if table.field(name):
            kept[name] = value
        elif (below := table.table(name)) is None:
            problems.add(source, "" if problems.full else unknown_name(here, table, value))
        elif below.is_list:
            if _is_list_of_tables(below, value, here, source, problems):
                kept[name] = [
                    _known(below, item, (*here, place), source, problems) for place, item in enumerate(value)
                ]
        elif isinstance(value, dict):
            kept[name] = _known(below, value, here, source, problems)
        else:
            text = f"{shown_key(here)} must be a table (opened by [{below.key}]), not {shown_value(value)}"
            problems.add_value(source, here, text)
    return kept


def _is_list_of_tables(table: TableInfo, value: Any, path: Path, source: str, problems: Problems) -> bool:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        if table.max_length is None or len(value) <= table.max_length:
            return True
        text = f"{shown_key(path)} holds {len(value)} tables; at most {table.max_length} are allowed"
    elif isinstance(value, dict):
        text = f"{shown_key(path)} must be a list of tables: write {table.header} with two brackets"
    else:
        text = (
            f"{shown_key(path)} must be a list of tables (each opened by {table.header}), not {shown_value(value)}"
        )
    problems.add_value(source, path, text)
    return False


def _places(error: ValidationError) -> Iterator[tuple[Path, bool]]:
    """Yield each wrong setting once, and whether it is missing."""
    seen = set()
    for details in error.errors(include_url=False, include_context=False, include_input=False):
        path = _setting_path(details["loc"])
        if path not in seen:
            seen.add(path)
            yield path, details["type"] == "missing" and path == details["loc"]


def _setting_path(location: Path) -> Path:
    """Return the part of pydantic's location that leads to a setting, without a place in its own list."""
    for length in range(len(location), 0, -1):
        if isinstance(location[length - 1], str) and dotted(location[:length]) in all_fields():
            return location[:length]
    raise AssertionError(f"pydantic names {location}, which is no setting")


def _report(source: str, tables: Tables, path: Path, missing: bool, problems: Problems) -> None:
    field = all_fields()[dotted(path)]
    if missing:
        problems.add_value(source, path, f"{shown_key(path)} is missing; it must be given")
        return
    holder: Any = tables
    for part in path[:-1]:
        holder = holder[part]
    problems.add_value(source, path, wrong_value(path, field, holder[path[-1]]))


def _without_bad(tables: Tables, problems: Problems) -> Tables:
    """Return the tables without settings that have a problem; a list of tables with one is left out as a whole."""
    return _prune(root(), tables, problems)


def _prune(table: TableInfo, tables: Tables, problems: Problems) -> Tables:
    kept: Tables = {}
    for name, value in tables.items():
        below = table.table(name)
        if below is None:
            key = f"{table.key}.{name}" if table.key else name
            if key not in problems.bad:
                kept[name] = value
        elif not below.is_list:
            kept[name] = _prune(below, value, problems)
        elif not any(field.key in problems.bad for field in below.fields):
            kept[name] = value
    return kept
