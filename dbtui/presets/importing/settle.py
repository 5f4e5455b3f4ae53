"""Makes a file of imported settings that the reader takes: what it refuses is left out, with its reason."""

import re
from typing import Any

from dbtui.presets.importing.result import Imported, LeftOut, Setting
from dbtui.presets.library import find_text
from trainer_core.config.fields import all_fields, all_tables
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.config.schema import SCHEMA_VERSION
from trainer_core.config.writer import shown_toml
from trainer_core.errors import ExitCode, UserError

_KEY = re.compile(r"[a-z_]+(?:\.[a-z_0-9]+)+")
_LINE = re.compile(r"line (\d+) ")
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
    named = [match[0] for match in _KEY.finditer(problem)]
    if found := _LINE.match(problem):
        named = [lines[int(found[1]) - 1][1]] if int(found[1]) <= len(lines) else []
    keys = [key for key in named if key in settings]
    others = [key for key in keys if key != _NEVER_FIRST]
    if not keys:
        return
    key = (others or keys)[0]
    dropped = settings.pop(key)
    imported.settings.pop(key, None)
    if dropped.option and _is_default(key, dropped.value):
        imported.same.append(dropped.option)
    elif dropped.option:
        imported.left.append(LeftOut(dropped.option, problem))


def _is_default(key: str, value: Any) -> bool:
    default = all_fields()[key].default
    return bool(value == (list(default) if isinstance(default, tuple) else default))


def _written(source: str, settings: dict[str, Setting], about: dict[str, str]) -> list[tuple[str, str]]:
    """Return the file's lines, each with the key of its setting, which names the option it comes from."""
    lines = [(f"# Imported by dbtui from {source}.", ""), (f"schema = {SCHEMA_VERSION}", "")]
    if about:
        lines += [("", ""), ("[preset]", "")]
        lines += [(f"{name} = {shown_toml(value)}", "") for name, value in about.items()]
    for table in all_tables():
        fields = [field for field in table.fields if field.key in settings]
        if fields:
            lines += [("", ""), (table.header, "")]
        for field in fields:
            setting = settings[field.key]
            origin = setting.option.split(" ")[0] if setting.option else "default there"
            lines.append((f"{field.name} = {shown_toml(setting.value)}  # {origin}", field.key))
    return lines
