"""What a report tells of a run besides its events: read from run.toml, process.json and dataset.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.config.fields import TableInfo, all_tables, root
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.toml_file import LARGEST_FILE
from trainer_core.config.writer import dump_config, shown_toml
from trainer_core.data.filewords import has_place
from trainer_core.errors import UserError
from trainer_core.report.places import Places
from trainer_core.report.seen import Seen, read_seen
from trainer_core.run.directory import RunDirectory

Difference = tuple[str, str, str]
"""A setting's key, its value, and its default, the last two in TOML."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one run; what cannot be read is empty.

    Attributes:
        config: the configuration as it is now; None if its file is of another version or damaged.
        run_file: that file: run.toml, or the run.N.toml of a resume that changed something.
        run_toml: its text without places of the machine.
        different: the settings that differ from their defaults.
        process: what process.json says: versions, platform, GPU.
        prompts: what to write to get the subjects.
        places: what is taken out of texts.
    """

    config: Config | None
    run_file: str
    run_toml: str
    different: tuple[Difference, ...]
    process: dict[str, Any]
    seen: Seen | None
    prompts: tuple[str, ...]
    places: Places


def read_facts(run: RunDirectory) -> Facts:
    """Read the facts of a run. Files that are missing or damaged leave gaps, never an error."""
    file, seen = run.configuration, read_seen(run)
    text = _read(file)
    try:
        config: Config | None = parse_config(text, file.name, folder=run.path)
    except UserError:
        config = None
    places = Places.of(run, _bound_paths(config) if config else ())
    different: tuple[Difference, ...] = ()
    if config is None:
        shown = "\n".join(map(places.outside, text.split("\n")))
    else:
        plain = _without_places(config)
        shown = "\n".join(map(places.inside, dump_config(plain).split("\n")))
        different = tuple(_differences(plain, places))
    return Facts(
        config=config,
        run_file=file.name,
        run_toml=shown,
        different=different,
        process=_read_json(run.process_json),
        seen=seen,
        prompts=_prompts(config, seen),
        places=places,
    )


def _bound_paths(config: Config) -> list[str]:
    """List the values of all settings that name a place on this machine."""
    tables = config.model_dump(by_alias=True)
    return [value for table in all_tables() for value in _paths_in(table, _values(tables, table.key))]


def _values(tables: Any, key: str) -> list[dict[str, Any]]:
    """Return each table that lies at the dotted `key`, also of lists of tables."""
    found = [tables]
    for name in key.split("."):
        inner = [table.get(name) for table in found]
        found = [item for each in inner if each for item in (each if isinstance(each, list) else [each])]
    return found


def _paths_in(table: TableInfo, values: list[dict[str, Any]]) -> list[str]:
    named = [value.get(field.name) for value in values for field in table.fields if field.path]
    return [str(path) for path in named if path]


def _without_places(config: Config) -> Config:
    """Return the configuration with the last part of each path instead of the path; a Hub id stays as it is."""
    tables = config.model_dump(by_alias=True)
    for table in all_tables():
        for values in _values(tables, table.key):
            for field in table.fields:
                value = values.get(field.name)
                if field.path and isinstance(value, str) and Path(value).is_absolute():
                    values[field.name] = Path(value).name or "folder"
    return Config.model_validate(tables)


def _differences(config: Config, places: Places) -> list[Difference]:
    tables = config.model_dump(by_alias=True)
    found = []
    for table in root().tables:
        for below in (table, *table.tables):
            found += _of_table(below, _values(tables, below.key), places)
    return found


def _of_table(table: TableInfo, values: list[dict[str, Any]], places: Places) -> list[Difference]:
    found = []
    for number, value in enumerate(values, start=1):
        place = f" {number}" if table.is_list and len(values) > 1 else ""
        for field in table.fields:
            given, default = value.get(field.name), field.default
            if given is None or given == default or list_of(given) == list_of(default):
                continue
            was = "not set" if default is None else shown_toml(default)
            found.append((f"{table.key}{place}.{field.name}", places.inside(shown_toml(given)), was))
    return found


def list_of(value: Any) -> Any:
    """Return a tuple as a list, so that both compare."""
    return list(value) if isinstance(value, tuple) else value


def _prompts(config: Config | None, seen: Seen | None) -> tuple[str, ...]:
    if config is None or config.method.captions == "finetune":
        return ()  # the captions' own words
    named = [concept.instance_prompt or "" for concept in config.concept]
    named += [folder.prompt for folder in seen.folders if not folder.is_class] if seen else []
    return tuple(dict.fromkeys(prompt for prompt in named if prompt and not has_place(prompt)))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
