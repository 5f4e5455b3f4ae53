"""What a viewer shows of a run besides its events: read once from run.toml and process.json."""

import json
import shlex
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dbtui.remote.origin import read_origin
from trainer_core.data.filewords import has_place
from trainer_core.data.folder_names import FolderName, join_words, parse_folder_name
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text


@dataclass(frozen=True)
class RunFacts:
    """Facts of one run; what cannot be read is empty."""

    name: str
    path: Path
    model: str = ""
    """Last part of the start model's path or Hub id."""
    preset: str = ""
    prompts: tuple[str, ...] = ()
    """What to write to get the subjects, such as "sls frog"."""
    is_lora: bool = False
    max_steps: int | None = None
    gpu: str = ""
    vram_total_gb: float | None = None
    place: str = ""
    """Machine that the run lies on, as the person called it; empty if it is this one."""
    fetched_from: str = ""
    """Machine that the run was brought here from; empty if it was not."""
    bring_it: str = ""
    """Command that brings the run here from there, or brings what came since."""


def read_facts(run: RunDirectory) -> RunFacts:
    """Read the facts of a run. Files that are missing or damaged leave gaps, never an error."""
    facts = facts_of(run.path, _read(run.configuration), _read(run.process_json))
    origin = read_origin(run)
    if origin is None:
        return facts
    again = safe_text(shlex.join(["dbtui", "fetch", origin.target, str(run.path)]), 1000)
    return replace(facts, fetched_from=safe_text(origin.place, 100), bring_it=again)


def start_model(run: RunDirectory) -> str:
    """Return the start model that the run's configuration names; "" where it cannot be read."""
    return _word(_table(_toml(_read(run.configuration)), "model"), "base")


def facts_of(path: Path, configuration: bytes, process: bytes, *, is_here: bool = True) -> RunFacts:
    """Return the facts of a run at `path`, from what its configuration and its process.json hold.

    Of a run on another machine (not `is_here`) the folders that it names are not looked at.
    """
    config, record = _toml(configuration), _json(process)
    preset, gpu = _table(config, "preset"), _table(record, "gpu")
    total, steps = gpu.get("vram_total_gb"), _table(config, "train").get("max_steps")
    return RunFacts(
        name=path.name,
        path=path,
        model=Path(_word(_table(config, "model"), "base")).name,
        preset=_word(preset, "title") or _word(preset, "name"),
        prompts=_prompts(config, is_here),
        is_lora=_word(_table(config, "method"), "train") == "lora",
        max_steps=steps if isinstance(steps, int) else None,
        gpu=_word(gpu, "name"),
        vram_total_gb=_gigabytes(total),
    )


def _prompts(config: dict[str, Any], is_here: bool) -> tuple[str, ...]:
    if _word(_table(config, "method"), "captions") == "finetune":
        return ()  # the captions' own words
    concepts = config.get("concept")
    tables = [each for each in concepts if isinstance(each, dict)] if isinstance(concepts, list) else []
    named = [_instance_prompt(each) or _identifier_and_class(each) for each in tables]
    if is_here and (train_dir := _word(_table(config, "dataset"), "train_dir")):
        with suppress(OSError, ValueError):
            names = sorted(entry.name for entry in Path(train_dir).iterdir() if entry.is_dir())
            names = names or [Path(train_dir).name]
            parsed = [parse_folder_name(name, "train") for name in names]
            named += [name.prompt for name in parsed if isinstance(name, FolderName)]
    return tuple(dict.fromkeys(prompt for prompt in named if prompt))


def _instance_prompt(concept: dict[str, Any]) -> str:
    prompt = _word(concept, "instance_prompt")
    return "" if has_place(prompt) else prompt


def _identifier_and_class(concept: dict[str, Any]) -> str:
    return join_words(_word(concept, "identifier"), _word(concept, "class"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _toml(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}


def _json(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name)
    return table if isinstance(table, dict) else {}


def _gigabytes(value: Any) -> float | None:
    with suppress(OverflowError):  # JSON has whole numbers of any length
        return float(value) if isinstance(value, int | float) else None
    return None


def _word(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
