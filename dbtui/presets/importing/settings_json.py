"""Settings files in JSON: kohya_ss, OneTrainer and sd_dreambooth_extension are told apart by the names in them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dbtui.presets.importing import extension, gui, onetrainer
from dbtui.presets.importing.command import Command
from dbtui.presets.importing.peers.extension import EXTENSION
from dbtui.presets.importing.peers.kohya_ss import LORA
from dbtui.presets.importing.peers.onetrainer import ONETRAINER
from trainer_core.errors import ExitCode, UserError

_Read = Mapping[str, Any]
WITH_LISTS = (ONETRAINER.name, EXTENSION.name)
LISTS_ARE_NAMED = (
    "--concepts and --samples give the lists that settings of OneTrainer name; those of sd_dreambooth_extension"
    " take the first"
)


@dataclass(frozen=True, slots=True)
class Beside:
    """Files that settings name and that are given too, as text.

    Attributes:
        concepts: OneTrainer's concepts.json, or a concepts_list.json of sd_dreambooth_extension; "" without.
        samples: OneTrainer's samples.json; "" without.
    """

    concepts: str = ""
    samples: str = ""


def from_json(text: str, shown: str, beside: Beside) -> Command:
    """Return what a settings file in JSON stands for; `shown` names it in messages.

    Raises:
        UserError: it cannot be read, or holds nothing that is known, or trains what cannot be trained here.
    """
    read = _parsed(text, shown)
    if isinstance(read, list):
        read = _of_list(read, shown)
    if not isinstance(read, dict):
        raise _error(f"{shown} holds no settings")
    reader = _reader(read, shown)
    return reader(_with_beside(read, beside, reader))


def _parsed(text: str, shown: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(f"{shown} begins like JSON and is none: {error}") from None


def _of_list(read: list[Any], shown: str) -> dict[str, Any]:
    """Return a list of concepts or samples that stands alone as settings that hold nothing else."""
    first = next((entry for entry in read if isinstance(entry, dict)), {})
    if "instance_data_dir" in first:
        raise _error(f"{shown} is a list of concepts: give it to a run, dbtui run PRESET --concepts FILE")
    if "path" in first:
        return {"concepts": read}
    if "prompt" in first:
        return {"samples": read}
    raise _error(f"{shown} is a list, and holds neither concepts nor samples")


def _reader(read: _Read, shown: str) -> Callable[[_Read], Command]:
    """Return who reads the settings: the trainer that knows most of their names."""
    known: list[tuple[int, Callable[[_Read], Command]]] = [
        (_known(read, {*LORA.options, *LORA.aliases}), gui.command_line),
        (_known(read, _first_names({*ONETRAINER.options, *ONETRAINER.aliases})), onetrainer.command_line),
        (_known(read, {*EXTENSION.options, *EXTENSION.aliases}), extension.command_line),
    ]
    count, reader = max(known, key=lambda each: each[0])
    if not count:
        raise _error(f"{shown} holds no setting of kohya_ss, OneTrainer or sd_dreambooth_extension")
    return reader


def _known(read: _Read, names: set[str]) -> int:
    return len({name.removeprefix("db_") for name in read} & names)


def _first_names(names: set[str]) -> set[str]:
    """Return names of settings and of the tables that they stand in."""
    return {name.partition(".")[0] for name in names} | names


def _with_beside(read: dict[str, Any], beside: Beside, reader: Callable[[_Read], Command]) -> dict[str, Any]:
    """Put the lists into the settings that name their files."""
    if not (beside.concepts or beside.samples):
        return read
    if beside.samples and reader is not onetrainer.command_line:
        raise _error(LISTS_ARE_NAMED)
    name = "concepts" if reader is onetrainer.command_line else "concepts_list"
    for listed, text in ((name, beside.concepts), ("samples", beside.samples)):
        if text:
            read = {**read, listed: _parsed(text, f"the file of {listed}")}
            if not isinstance(read[listed], list):
                raise _error(f"the file of {listed} holds no list")
    return read


def _error(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
