"""Reads settings files of other trainers: sd-scripts' TOML (`--config_file`, `--dataset_config`), and JSON."""

import re
from collections.abc import Mapping
from typing import Any

from dbtui.presets.importing import datasets
from dbtui.presets.importing.command import Command, Given, as_words, read_commands
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.settings_json import Beside, from_json
from trainer_core.config.toml_file import parse_toml
from trainer_core.errors import ExitCode, UserError

_OURS = re.compile(r"^[ \t]*schema[ \t]*=[ \t]*\d+[ \t]*(#.*)?$", re.MULTILINE)
_JSON = re.compile(r"\{|\[\s*[{\]]")
_LORA = ("network_module", "network_dim", "network_alpha", "network_args", "network_weights", "unet_lr")

_FINE_TUNING = ("in_json", "train_text_encoder")


def read_settings(text: str, shown: str, beside: Beside) -> Command | None:
    """Return a settings file, with those that are given beside it, as the command that it stands for.

    None if the text is no settings file.

    Raises:
        UserError: it is JSON or TOML and cannot be read, or dbtui's own.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if _OURS.search(start):
        raise UserError(
            f"{shown} is a preset or run file of dbtui already: `dbtui preset check FILE` says what is wrong"
            " with it, `dbtui run FILE` trains with it",
            ExitCode.CONFIG,
        )
    if _JSON.match(start):
        return from_json(start, shown, beside)
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
    read = parse_toml(text, shown)
    if "datasets" in read:
        return datasets.command_line(read)
    flat = _flat(read)
    is_lora = any(flat.get(name) for name in _LORA)
    is_fine = any(flat.get(name) for name in _FINE_TUNING)
    script = "train_network.py" if is_lora else "fine_tune.py" if is_fine else "train_db.py"
    return Command(script, [], _options(flat), [])


def _options(flat: Mapping[str, Any]) -> list[Given]:
    return [
        Given(name.replace("-", "_"), as_words(value), [], "") for name, value in flat.items() if value is not None
    ]
