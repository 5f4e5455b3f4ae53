"""What a form lists: every setting under its heading, narrowed down by a search."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dbtui.forms.form import Form, State
from trainer_core.config.fields import FieldInfo, TableInfo, all_tables
from trainer_core.config.words import Path


@dataclass(frozen=True, slots=True)
class Heading:
    """A group of settings, or one table of a list."""

    text: str


@dataclass(frozen=True, slots=True)
class Adder:
    """The place where a table is added to a list."""

    table: TableInfo
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """A setting; `label` is its key, in a list of tables its name."""

    state: State
    label: str


Entry = Heading | Line | Adder


@dataclass(slots=True)
class Listing:
    """What is listed.

    Attributes:
        entries: headings, settings, places to add a table.
        shown: how many settings.
        unused: how many more match but have no effect just now.
    """

    entries: list[Entry] = field(default_factory=list)
    shown: int = 0
    unused: int = 0


def listing(form: Form, search: str = "", *, with_unused: bool = False) -> Listing:
    """List the settings that have an effect, or were answered, and match every word of `search`."""
    words = search.lower().replace("_", " ").split()
    result = Listing()
    for group in groups():
        part = _of_group(form, group, words, with_unused, result)
        if any(not isinstance(entry, Heading) for entry in part):
            result.entries += [Heading(group), *part]
    return result


def best(found: Listing, search: str) -> Line | Adder | None:
    """Return where the search leads: the first setting with all its words in the key, else the first of all."""
    words = search.lower().replace("_", " ").split()
    entries = [entry for entry in found.entries if not isinstance(entry, Heading)]
    lines = (entry for entry in entries if isinstance(entry, Line))
    named = (line for line in lines if _matches(line.state.field.key, words))
    return next(named, next(iter(entries), None))


def groups() -> list[str]:
    """Return the headings in the order of the schema; what says something about a preset only comes last."""
    fields = [field for table in all_tables() for field in table.fields]
    of_lists = {field.group for field in fields} - {
        field.group for field in fields if field.about.affects != "list"
    }
    return sorted(dict.fromkeys(field.group for field in fields), key=lambda group: group in of_lists)


def _of_group(form: Form, group: str, words: list[str], with_unused: bool, result: Listing) -> list[Entry]:
    entries: list[Entry] = []
    for table in all_tables():
        if not any(field.group == group for field in table.fields):
            continue
        if not table.is_list:
            entries += _lines(form, _places(table, group), words, with_unused, result)
            continue
        for number in range(form.count(table)):
            lines = _lines(form, _places(table, group, number), words, with_unused, result)
            entries += [Heading(f"{table.header} {number + 1}"), *lines] if lines else []
        if _matches(f"{table.key} {table.help} {group} add", words) and form.can_add(table):
            entries.append(Adder(table, form.count(table)))
    return entries


def _places(table: TableInfo, group: str, number: int | None = None) -> Iterator[tuple[Path, FieldInfo]]:
    above: Path = (*table.key.split("."), *(() if number is None else (number,)))
    yield from (((*above, field.name), field) for field in table.fields if field.group == group)


def _lines(
    form: Form, places: Iterator[tuple[Path, FieldInfo]], words: list[str], with_unused: bool, result: Listing
) -> list[Entry]:
    lines: list[Entry] = []
    for path, field_ in places:
        if not _matches(f"{field_.key} {field_.help} {field_.group}", words):
            continue
        state = form.state(path)
        if state.unused and not (with_unused or state.is_changed):
            result.unused += 1
            continue
        result.shown += 1
        lines.append(Line(state, field_.key if len(path) == field_.key.count(".") + 1 else field_.name))
    return lines


def _matches(text: str, words: list[str]) -> bool:
    searched = text.lower()
    searched += " " + searched.replace("_", " ")
    return all(word in searched for word in words)
