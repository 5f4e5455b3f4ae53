"""Follows `extends` from a file to the presets that it builds on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_core.config.layer import Layer, Tables
from trainer_core.config.migrate import migrate
from trainer_core.config.problems import Problems
from trainer_core.config.toml_file import parse_toml
from trainer_core.config.words import shown_value
from trainer_core.errors import ExitCode, UserError

FindPreset = Callable[[str], str | None]
"""Returns the text of the preset of that name, None if there is none; may raise UserError."""

LONGEST_CHAIN = 8
PRESET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def read_chain(
    text: str, source: str, folder: Path | None, find_preset: FindPreset | None, problems: Problems
) -> list[Layer]:
    """Return the file and everything that it extends, the outermost ancestor first, noting what is wrong.

    `folder` is where the file's relative paths begin, None for a preset, which may have none.
    """
    layers: list[Layer] = []
    names: list[str] = []
    try:
        while True:
            tables = _tables(text, source)
            extends = tables.pop("extends", None)
            layers.insert(0, Layer(source, tables, folder))
            if extends is None:
                return layers
            text = _ancestor(extends, names, source, find_preset)
            names.append(extends)
            source, folder = f'preset "{extends}"', None
    except UserError as error:
        problems.extend(error.problems)
    return layers


def _tables(text: str, source: str) -> Tables:
    tables, problem = migrate(parse_toml(text, source))
    if problem:
        raise UserError(f"{source}: {problem}", ExitCode.CONFIG)
    return tables


def _ancestor(extends: Any, names: list[str], source: str, find_preset: FindPreset | None) -> str:
    """Return the text of the preset that is extended."""

    def refuse(text: str) -> UserError:
        return UserError(f"{source}: extends {text}", ExitCode.CONFIG)

    if not isinstance(extends, str) or not PRESET_NAME.fullmatch(extends):
        raise refuse(f"must be the name of a preset, not {shown_value(extends)}")
    if extends in names:
        raise refuse(f"goes in a circle: {' extends '.join([*names[names.index(extends) :], extends])}")
    if len(names) >= LONGEST_CHAIN:
        raise refuse(f"more than {LONGEST_CHAIN} presets in a chain")
    if find_preset is None:
        raise refuse(
            f'"{extends}" cannot be followed here; `dbtui run FILE --dry-run` prints the resolved file,'
            " which extends nothing"
        )
    try:
        text = find_preset(extends)
    except UserError as error:
        raise UserError([f"{source}: extends {problem}" for problem in error.problems], error.code) from None
    if text is None:
        raise refuse(f'"{extends}", which is not a preset (`dbtui preset list` shows them all)')
    return text
