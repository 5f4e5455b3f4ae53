"""Paths of `--set` for a trainer that works in another folder."""

from collections.abc import Sequence
from pathlib import Path

from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of
from trainer_core.config.overrides import parse_overrides
from trainer_core.config.paths import resolve
from trainer_core.config.problems import Problems
from trainer_core.config.writer import shown_toml


def with_absolute_paths(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return `overrides`, which were found right, for a trainer that works in another folder."""
    return tuple(_absolute(override) for override in overrides)


def _absolute(override: str) -> str:
    key = override.partition("=")[0].strip()
    field = all_fields().get(key)
    if field is None or not field.path:
        return override
    value = value_of(parse_overrides([override], Problems()), field)
    return f"{key}={shown_toml(resolve(value, field.path, Path.cwd()))}"
