"""Brings files of older schema versions up to date, one version at a time."""

from collections.abc import Callable
from typing import Any

from trainer_core.config.schema import SCHEMA_VERSION
from trainer_core.config.words import shown_value

Tables = dict[str, Any]

MIGRATIONS: dict[int, Callable[[Tables], Tables]] = {}
"""For each older version the function that turns its tables into those of the next version."""


def migrate(tables: Tables) -> tuple[Tables, str | None]:
    """Return the tables without `schema` and brought to the current version, or the problem that prevents it."""
    if "schema" not in tables:
        return {}, f'schema is missing; add the line "schema = {SCHEMA_VERSION}" at the top'
    version = tables["schema"]
    if isinstance(version, bool) or not isinstance(version, int) or version < min((*MIGRATIONS, SCHEMA_VERSION)):
        return {}, f"schema must be {SCHEMA_VERSION}, not {shown_value(version)}"
    if version > SCHEMA_VERSION:
        return {}, (
            f"made by a newer dbtui: it needs schema {shown_value(version)} and this dbtui reads {SCHEMA_VERSION};"
            " upgrade with `pip install -U dbtui`"
        )
    tables = {name: value for name, value in tables.items() if name != "schema"}
    for step in range(version, SCHEMA_VERSION):
        tables = MIGRATIONS[step](tables)
    return tables, None
