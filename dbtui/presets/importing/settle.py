"""Makes a file of imported settings that the reader takes: what it refuses is left out, with its reason."""

import re
from typing import Any

from dbtui.presets.importing.result import Imported, LeftOut, Setting, number_of, numbered, plain
from dbtui.presets.library import find_text
from trainer_core.config.fields import all_fields, all_tables
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.config.schema import SCHEMA_VERSION
from trainer_core.config.writer import shown_toml
from trainer_core.errors import ExitCode, UserError

_KEY = re.compile(r"[a-z_]+(?:\.[a-z_0-9]+)+")
_LINE = re.compile(r"line (\d+) ")
_IN_LIST = re.compile(r" \(in \[\[([a-z_.]+)\]\] number (\d+)\)")
_SOURCE = "the import"
_NEVER_FIRST = "optimizer.type"
"""Named first where others do not go with it: what goes is the other one."""


def preset_text(imported: Imported, about: dict[str, str]) -> str:
    """Return the preset; what belongs to one machine or subject is left out, and noted."""
    kept = {key: setting for key, setting in imported.settings.items() if not setting.belongs}
    return _settled(imported, kept, about, is_preset=True)


def run_file_text(imported: Imported) -> str:
    """Return the run file: the same settings and what binds them to this machine."""
    return _settled(imported, dict(imported.settings), {}, is_preset=False)


def _settled(imported: Imported, settings: dict[str, Setting], about: dict[str, str], *, is_preset: bool) -> str:
    for _ in range(len(settings) + 1):
        lines = _written(imported.source, settings, about)
        text = "\n".join(line for line, _ in lines) + "\n"
        problems = _problems(text, is_preset=is_preset)
        if not problems:
            return text
        count = len(settings)
        for problem in problems:
            _leave_out(problem, lines, settings, imported)
        if len(settings) == count:
            raise UserError(problems, ExitCode.CONFIG)
    raise UserError("the settings contradict each other", ExitCode.CONFIG)


def _problems(text: str, *, is_preset: bool) -> list[str]:
    try:
        if is_preset:
            check_preset(text, _SOURCE, find_preset=find_text)
        else:
            parse_config(text, _SOURCE, find_preset=find_text)
    except UserError as error:
        return [problem.removeprefix(f"{_SOURCE}: ") for problem in error.problems]
    return []


def _leave_out(
    problem: str, lines: list[tuple[str, str]], settings: dict[str, Setting], imported: Imported
) -> None:
    """Take the setting out that a problem is about."""
    named = [key for match in _KEY.finditer(problem) for key in (_with_number(problem, match, settings), match[0])]
    if found := _LINE.match(problem):
        named = [lines[int(found[1]) - 1][1]] if int(found[1]) <= len(lines) else []
    keys = [key for key in named if key in settings]
    others = [key for key in keys if key != _NEVER_FIRST]
    for key in (others or keys)[:1] or _of_same_table(problem, settings):
        _drop(key, problem, settings, imported)


def _drop(key: str, problem: str, settings: dict[str, Setting], imported: Imported) -> None:
    dropped = settings.pop(key)
    imported.settings.pop(key, None)
    if dropped.option and _is_default(key, dropped.value):
        imported.same.append(dropped.option)
    elif dropped.option:
        imported.left.append(LeftOut(dropped.option, problem))


def _with_number(problem: str, match: re.Match[str], settings: dict[str, Setting]) -> str:
    """Return a key that a problem names as it is among the settings: with its number in a list of tables."""
    found = _IN_LIST.match(problem, match.end())
    return numbered(found[1], _number(found, settings), match[0]) if found else match[0]


def _number(found: re.Match[str], settings: dict[str, Setting]) -> int:
    """Return our number of the table that the reader calls the nth: some may have been left out before it."""
    numbers = sorted({number_of(key) for key in settings if _table(key) == found[1]})
    place = int(found[2]) - 1
    return numbers[place] if place < len(numbers) else 0


def _of_same_table(problem: str, settings: dict[str, Setting]) -> list[str]:
    """Return all settings of the table that lacks one, which the problem is about."""
    found = _IN_LIST.search(problem)
    if not found:
        return []
    number = _number(found, settings)
    return [key for key in settings if _table(key) == found[1] and number_of(key) == number]


def _table(key: str) -> str:
    return plain(key).rpartition(".")[0]


def _is_default(key: str, value: Any) -> bool:
    default = all_fields()[plain(key)].default
    return bool(value == (list(default) if isinstance(default, tuple) else default))


def _written(source: str, settings: dict[str, Setting], about: dict[str, str]) -> list[tuple[str, str]]:
    """Return the file's lines, each with the key of its setting, which names the option it comes from."""
    lines = [(f"# Imported by dbtui from {source}.", ""), (f"schema = {SCHEMA_VERSION}", "")]
    if about:
        lines += [("", ""), ("[preset]", "")]
        lines += [(f"{name} = {shown_toml(value)}", "") for name, value in about.items()]
    for table in all_tables():
        of_table = [key for key in settings if _table(key) == table.key]
        order = [field.key for field in table.fields]
        for number in sorted({number_of(key) for key in of_table}):
            lines += [("", ""), (table.header, "")]
            keys = [key for key in of_table if number_of(key) == number]
            lines += [_line(key, settings[key]) for key in sorted(keys, key=lambda each: order.index(plain(each)))]
    return lines


def _line(key: str, setting: Setting) -> tuple[str, str]:
    origin = setting.option.split(" ")[0] if setting.option else "default there"
    return f"{key.rpartition('.')[2]} = {shown_toml(setting.value)}  # {origin}", key
