"""What of a configuration can be given to others, and what is left out of it and why."""

import tomllib
from dataclasses import dataclass
from typing import Literal

from trainer_core.config.fields import TableInfo, root
from trainer_core.config.layer import Named, Tables, settings_of
from trainer_core.config.schema import Config
from trainer_core.config.shareable import machine_paths, secrets
from trainer_core.config.writer import dump_config
from trainer_core.run.redact import redact

Why = Literal["machine", "prompt", "own", "secret", "place"]

REASONS: dict[Why, str] = {
    "machine": "of this machine",
    "prompt": "what is taught and drawn",
    "own": "names and accounts of your own",
    "secret": "looks like a secret",
    "place": "names a place on this machine",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A setting that a preset is made without, though it was set."""

    key: str
    why: Why


def strip(config: Config, *, keep_prompts: bool) -> tuple[Tables, list[LeftOut]]:
    """Return the tables of what can be shared, without `[preset]`, and each setting that was left out, once."""
    tables = tomllib.loads(dump_config(config, comments=False))
    del tables["schema"]
    tables.pop("preset", None)
    left: dict[LeftOut, None] = {}
    for named in list(settings_of(tables)):
        if why := _why(named, keep_prompts):
            if named.value != named.field.default:
                left[LeftOut(named.field.key, why)] = None
            del named.table[named.field.name]
    whole = _whole(root(), tables)
    if "prompts" not in whole.get("sample", {}):  # then nothing is left to draw, however often
        _leave_previews_out(whole, left)
    return whole, list(left)


def what_is_private(text: str) -> Why | None:
    """Return whether a text holds what looks like a secret, or a secret of the environment, or a place."""
    if any(secrets(text)) or redact(text) != text:
        return "secret"
    return "place" if any(machine_paths({"text": text})) else None


def _why(named: Named, keep_prompts: bool) -> Why | None:
    field = named.field
    if field.binding:
        return "machine"
    if field.about.personal == "own":
        return "own"
    if field.about.personal == "prompt" and not keep_prompts:
        return "prompt"
    return what_is_private(named.value) if isinstance(named.value, str) else None


def _leave_previews_out(tables: Tables, left: dict[LeftOut, None]) -> None:
    for named in settings_of({"sample": tables.pop("sample", {})}):
        if named.value != named.field.default:
            left[LeftOut(named.field.key, "prompt")] = None


def _whole(table: TableInfo, tables: Tables) -> Tables:
    """Return the tables without empty ones, and without items of a list that lost what they need."""
    kept: Tables = {}
    for name, value in tables.items():
        below = table.table(name)
        if below is None:
            kept[name] = value
        elif below.is_list:
            if items := [item for item in value if item and _has_required(below, item)]:
                kept[name] = items
        elif inner := _whole(below, value):
            kept[name] = inner
    return kept


def _has_required(table: TableInfo, item: Tables) -> bool:
    return all(field.name in item for field in table.fields if field.required)
