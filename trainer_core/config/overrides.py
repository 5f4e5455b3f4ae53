"""Turns `--set section.key=value` into the tables that a file would hold."""

import re
from collections.abc import Sequence
from typing import Any

from trainer_core.config.layer import Tables
from trainer_core.config.problems import Problems
from trainer_core.config.toml_file import LARGEST_FILE, parse_toml
from trainer_core.errors import UserError
from trainer_core.text import safe_text

_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){1,8}|concept")
_STARTS_TOML = ('"', "'", "[", "{")
_NOT_TOML = "its value is not TOML; text that begins with a bracket or a quote needs quotes of its own, '\"...\"'"


def parse_overrides(overrides: Sequence[str], problems: Problems) -> Tables:
    """Return the tables that the overrides make, the last one winning, noting those that are none.

    A value is TOML (`3`, `true`, `1e-6`, `[512, 768]`, `"text"`); anything else is taken as text.
    """
    tables: Tables = {}
    for override in overrides:
        key, sign, value = override.partition("=")
        shown = safe_text(override, limit=120)
        if not sign or not _KEY.fullmatch(key.strip()):
            problems.add("--set", f"{shown} is not of the form section.key=value")
            continue
        try:
            _put(tables, key.strip().split("."), _value(value.strip()))
        except (UserError, ValueError) as error:
            reason = _NOT_TOML if isinstance(error, UserError) else str(error)
            problems.add("--set", f"{shown}: {reason}")
    return tables


def _value(text: str) -> Any:
    if not text:
        raise ValueError("no value is given")
    if len(text) > LARGEST_FILE:
        raise ValueError("its value is too long")
    try:
        read = parse_toml(f"value = {text}", "")
    except UserError:
        if text.startswith(_STARTS_TOML):
            raise
        return text
    return read["value"] if len(read) == 1 else text


def _put(tables: Tables, parts: list[str], value: Any) -> None:
    inner = tables
    for part in parts[:-1]:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ValueError("another --set gives that table a plain value")
    inner[parts[-1]] = value
