"""The preset that a result carries: the settings that it was trained with, as they can be given to anyone."""

import getpass
import socket
from contextlib import suppress

import tomlkit

from trainer_core.config.layer import Tables
from trainer_core.config.reader import check_preset
from trainer_core.config.schema import SCHEMA_VERSION, Config
from trainer_core.config.strip import strip, what_is_private
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError

_SHORTEST_NAME = 3
"""Shorter names of people and machines are found in too many words."""


def carried_preset(config: Config) -> str | None:
    """Return `config` as the text of a preset: complete, and stripped of bindings, prompts, names and secrets.

    It extends nothing, so it means the same with every version that knows its schema. Of [preset], only the name
    goes along: it tells which preset the settings build on, and a result is given away with less thought than a
    preset is. None if no preset can say these settings: a save never fails for that.
    """
    tables, _ = strip(config, keep_prompts=False)
    tables["preset"] = _about(config)
    try:
        meant = check_preset(tomlkit.dumps({"schema": SCHEMA_VERSION, **tables}), "")
        text = dump_config(meant, comments=False)
        return text if check_preset(text, "") == meant else None
    except UserError:
        return None


def _about(config: Config) -> Tables:
    name = config.preset.name
    return {} if name is None or what_is_private(name) or _names_somebody(name) else {"name": name}


def _names_somebody(text: str) -> bool:
    """Tell whether a text holds the name of the person or of the machine."""
    names = [socket.gethostname().partition(".")[0]]
    with suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        names.append(getpass.getuser())
    return any(len(name) >= _SHORTEST_NAME and name.casefold() in text.casefold() for name in names)
