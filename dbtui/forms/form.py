"""A form over the tables of a run: what each setting is now, what holds without an answer, what was typed."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from dbtui.forms.typed import WrongTextError, read_text, text_of
from trainer_core.config.fields import FieldInfo, TableInfo, all_fields, all_tables
from trainer_core.config.layer import Tables
from trainer_core.config.merge import alternatives, failing_condition, lay_over, value_of
from trainer_core.config.problems import dotted
from trainer_core.config.words import Path, shown_condition, shown_value


@dataclass(frozen=True, slots=True)
class State:
    """How one setting stands.

    Attributes:
        path: where it is; in a list of tables with its number (from 0).
        field: what the schema says of it.
        value: what holds.
        below: what holds without an answer: the preset's value, or the default.
        text: what stands in its input: what was typed, where that is no value.
        problem: what is wrong with the text, in the reader's words.
        is_changed: whether an answer differs from the preset.
        unused: why it has no effect just now; "" if it has one.
    """

    path: Path
    field: FieldInfo
    value: Any
    below: Any
    text: str
    problem: str
    is_changed: bool
    unused: str


class Form:
    """Settings to be looked at and answered.

    `tables` (the answers) and `typed` (texts that are no values, by place) are the caller's and written in place;
    `below` is what they lie over, complete. Nothing but valid values reaches `tables`.
    """

    def __init__(self, tables: Tables, typed: dict[str, str], below: Tables) -> None:
        self.tables, self.typed, self.below = tables, typed, below
        self._merged: Tables | None = None

    @property
    def merged(self) -> Tables:
        """The answers laid over what is below them."""
        if self._merged is None:
            self._merged = lay_over(self.below, self.tables)
        return self._merged

    def changed(self) -> None:
        """Tell that the answers were written by somebody else."""
        self._merged = None

    def state(self, path: Path) -> State:
        """Return how the setting at `path` stands."""
        field = all_fields()[dotted(path)]
        value, below = self._value(self.merged, path, field), self._below(path, field)
        typed = self.typed.get(place_of(path))
        return State(
            path=path,
            field=field,
            value=value,
            below=below,
            text=text_of(value) if typed is None else typed,
            problem="" if typed is None else self._problem(path, typed),
            is_changed=typed is not None or (self._is_answered(path) and not _same(value, below)),
            unused=self._unused(field),
        )

    def enter(self, path: Path, text: str) -> str:
        """Take what was typed: a value becomes the answer, anything else is kept aside. Return what is wrong."""
        try:
            value = read_text(path, text, FilePath.cwd())
        except WrongTextError as wrong:
            self.typed[place_of(path)] = text
            return str(wrong)
        self.typed.pop(place_of(path), None)
        field = all_fields()[dotted(path)]
        if value is None or _same(value, self._below(path, field)):
            self._take_back(path)
        else:
            self._table_at(path)[field.name] = value
        self.changed()
        return ""

    def reset(self, path: Path) -> None:
        """Take the answer back, so that the preset's value holds."""
        self.typed.pop(place_of(path), None)
        self._take_back(path)
        self.changed()

    def invalid(self) -> Iterator[tuple[Path, str]]:
        """Yield each setting whose text is no value, and what is wrong with it."""
        for place, text in self.typed.items():
            path = path_of(place)
            if self._is_there(path) and (problem := self._problem(path, text)):
                yield path, problem

    # Lists of tables.

    def count(self, table: TableInfo) -> int:
        """Return how many tables the list holds."""
        return len(self._list_in(self.merged, table))

    def can_add(self, table: TableInfo) -> bool:
        """Whether the list may hold another table."""
        return table.max_length is None or self.count(table) < table.max_length

    def add(self, table: TableInfo, values: Tables | None = None) -> int:
        """Add a table to the list; return its number (from 0)."""
        listed = self._own_list(table.key.split("."))
        listed.append(dict(values or {}))
        self.changed()
        for field in table.fields:
            if field.required and field.name not in listed[-1]:
                self.typed[place_of((*table.key.split("."), len(listed) - 1, field.name))] = ""
        return len(listed) - 1

    def remove(self, table: TableInfo, number: int) -> None:
        """Remove the table of that number from the list; without any, the preset's list holds again."""
        *above, name = table.key.split(".")
        listed = self._own_list([*above, name])
        del listed[number]
        if not listed:
            self._table_at((*above, name)).pop(name)
        self.changed()
        for place in [place for place in self.typed if place.startswith(f"{table.key}.")]:
            text, path = self.typed.pop(place), path_of(place)
            before = next(part for part in path if isinstance(part, int))
            if before != number:
                moved = before - 1 if before > number else before
                self.typed[place_of(tuple(moved if part == before else part for part in path))] = text

    def _is_there(self, path: Path) -> bool:
        """Whether the setting is one of the schema, and its list of tables has that many."""
        tables = {table.key: table for table in all_tables() if table.is_list}
        within = next((place for place, part in enumerate(path) if isinstance(part, int)), None)
        if within is not None:
            table = tables.get(dotted(path[:within]))
            if table is None or int(path[within]) >= self.count(table):
                return False
        return dotted(path) in all_fields()

    def _problem(self, path: Path, text: str) -> str:
        try:
            read_text(path, text, FilePath.cwd())
        except WrongTextError as wrong:
            return str(wrong)
        return ""

    def _value(self, tables: Tables, path: Path, field: FieldInfo) -> Any:
        if all(isinstance(part, str) for part in path):
            return value_of(tables, field)
        inner: Any = tables
        for part in path:
            is_there = part in inner if isinstance(inner, dict) else isinstance(part, int) and part < len(inner)
            if not is_there:
                return field.default
            inner = inner[part]
        return inner

    def _below(self, path: Path, field: FieldInfo) -> Any:
        if self._is_replaced(field.key):
            return None
        return self._value(self.below, path, field)

    def _is_replaced(self, key: str) -> bool:
        """Whether another setting, of which only one can be given, was answered."""
        others = {first if second == key else second for first, second in alternatives() if key in (first, second)}
        return any(self._is_answered(tuple(other.split("."))) for other in others)

    def _is_answered(self, path: Path) -> bool:
        inner: Any = self.tables
        for part in path:
            is_there = part in inner if isinstance(inner, dict) else isinstance(part, int) and part < len(inner)
            if not is_there:
                return False
            inner = inner[part]
        return inner not in (None, "")

    def _unused(self, field: FieldInfo) -> str:
        condition = failing_condition(field, self.merged)
        if condition is None:
            return ""
        found = shown_value(value_of(self.merged, all_fields()[condition.key]))
        return f"used only with {shown_condition(condition)} (it is {found})"

    def _take_back(self, path: Path) -> None:
        if self._is_answered(path[:-1]):
            self._table_at(path).pop(str(path[-1]), None)

    def _table_at(self, path: Path) -> Tables:
        """Return the table of answers that holds the setting at `path`, made where it is not there."""
        inner: Any = self.tables
        for place, part in enumerate(path[:-1]):
            if isinstance(part, int):
                inner += [{}] * (part == len(inner))  # the next one
                inner = inner[part]
            elif isinstance(path[place + 1], int):
                inner = self._own_list([part for part in path[: place + 1] if isinstance(part, str)])
            else:
                inner = inner.setdefault(part, {})
        assert isinstance(inner, dict)
        return inner

    def _own_list(self, names: list[str]) -> list[Tables]:
        """Return the list of tables among the answers; a list replaces the preset's, so it begins as its copy."""
        inner: Any = self.tables
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        if not inner.get(names[-1]):
            table = next(table for table in all_tables() if table.key == ".".join(names))
            inner[names[-1]] = deepcopy(self._list_in(self.below, table))
        listed: list[Tables] = inner[names[-1]]
        return listed

    def _list_in(self, tables: Tables, table: TableInfo) -> list[Tables]:
        inner: Any = tables
        for name in table.key.split("."):
            inner = inner.get(name) or {}
        return list(inner)


def place_of(path: Path) -> str:
    """Return the place of a setting as one text: `sample.prompts.0.seed`."""
    return ".".join(map(str, path))


def path_of(place: str) -> Path:
    """Return the path that `place_of` made a text of."""
    return tuple(int(part) if part.isdecimal() else part for part in place.split("."))


def _same(first: Any, second: Any) -> bool:
    def plain(value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value

    return bool(plain(first) == plain(second)) and isinstance(first, bool) == isinstance(second, bool)
