"""What a file over a preset has to say: the settings that are not the preset's."""

from typing import Any

from trainer_core.config.layer import Tables


def differing(tables: Tables, below: Tables) -> Tables:
    """Return what of the tables is not the same below them."""
    kept: Tables = {}
    for name, value in tables.items():
        beneath = below.get(name)
        if isinstance(value, dict) and isinstance(beneath, dict):
            if inner := differing(value, beneath):
                kept[name] = inner
        elif value != _as_toml(beneath):
            kept[name] = value
    return kept


def _as_toml(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
