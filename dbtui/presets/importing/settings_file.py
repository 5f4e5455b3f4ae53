"""Reads settings files of other trainers: sd-scripts' TOML (`--config_file`) and the JSON of kohya_ss' pages."""

import json
from collections.abc import Mapping
from typing import Any

from dbtui.presets.importing.command import Command, Given, as_words, read_commands
from dbtui.presets.importing.gui import command_line
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from trainer_core.config.toml_file import parse_toml
from trainer_core.errors import ExitCode, UserError

_LORA = ("network_module", "network_dim", "network_alpha", "network_args", "network_weights", "unet_lr")


def read_settings(text: str, shown: str) -> Command | None:
    """Return a settings file as the command that it stands for; None if the text is none.

    Raises:
        UserError: it is JSON or TOML and cannot be read.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return _from_json(start, shown)
    if not _looks_like_toml(start):
        return None
    return _from_toml(text, shown)


def _looks_like_toml(text: str) -> bool:
    """A file of sd-scripts holds its options without dashes, in tables or not, and no command."""
    try:
        tables = parse_toml(text, "")
    except UserError:
        return False
    known = TRAIN_NETWORK.options.keys() | TRAIN_DB.options.keys() | {"datasets"}
    return bool(_flat(tables).keys() & known) and not read_commands(text)


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all tables in one, as sd-scripts reads them."""
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _from_toml(text: str, shown: str) -> Command:
    flat = _flat(parse_toml(text, shown))
    if "datasets" in flat:
        raise UserError(
            f"{shown} is a file of datasets (--dataset_config), which are not imported: give folders with --data,"
            " or one [[concept]] for each in a run file",
            ExitCode.CONFIG,
        )
    script = "train_network.py" if any(flat.get(name) for name in _LORA) else "train_db.py"
    return Command(script, [], _options(flat), [])


def _from_json(text: str, shown: str) -> Command:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown} begins like JSON and is none: {error}", ExitCode.CONFIG) from None
    if not isinstance(read, dict):
        raise UserError(f"{shown} holds no settings", ExitCode.CONFIG)
    return command_line(read)


def _options(flat: Mapping[str, Any]) -> list[Given]:
    return [
        Given(name.replace("-", "_"), as_words(value), [], "") for name, value in flat.items() if value is not None
    ]
