"""Reads the JSON of a concepts list that anyone may have written: bounded, checked, every failure one message."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from trainer_core.config.toml_file import read_text
from trainer_core.config.words import shown_value
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import exists, is_file, is_utf8
from trainer_core.text import safe_text

Entry = dict[str, Any]
Kind = Literal["text", "number", "whole number"]

MOST_CONCEPTS = 64

FIELDS: dict[str, Kind] = {
    "instance_prompt": "text",
    "class_prompt": "text",
    "instance_data_dir": "text",
    "class_data_dir": "text",
    "instance_token": "text",
    "class_token": "text",
    "class_negative_prompt": "text",
    "class_guidance_scale": "number",
    "class_infer_steps": "whole number",
    "num_class_images": "whole number",
    "num_class_images_per": "whole number",
    "save_sample_prompt": "text",
    "save_sample_negative_prompt": "text",
    "save_sample_template": "text",
    "n_save_sample": "whole number",
    "sample_seed": "whole number",
    "save_guidance_scale": "number",
    "save_infer_steps": "whole number",
}
"""The fields of ShivamShrirao's list (the first four) and of sd_dreambooth_extension's concepts."""


def read_concepts_json(path: Path) -> list[Entry]:
    """Return the concepts of the file, their known fields of the right type; null counts as not given.

    Raises:
        UserError: it cannot be read, is no list of objects, or fields have the wrong type, everything at once.
    """
    shown = safe_text(path)
    if exists(path) and not is_file(path):
        raise UserError(f"{shown} is not a file; name a concepts list (.json)", ExitCode.CONFIG)
    entries = _parse(read_text(path), shown)
    problems = _problems(entries)
    if problems:
        raise UserError([f"{shown}: {problem}" for problem in problems], ExitCode.CONFIG)
    return [{name: value for name, value in entry.items() if value is not None} for entry in entries]


def _parse(text: str, shown: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problem = f"{where}: not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}{_hint(text)}"
    except RecursionError:
        problem = "is nested too deeply for a concepts list"
    except _BadValueError as error:
        problem = str(error)
    except ValueError:
        problem = "has a whole number with thousands of digits"
    raise UserError(f"{shown}: {problem}", ExitCode.CONFIG)


class _BadValueError(ValueError):
    """What JSON allows or Python reads, and a concepts list cannot mean."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> Entry:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        double = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _BadValueError(f'"{safe_text(double, 80)}" stands twice in one concept; remove one of them')
    return entry


def _no_constant(name: str) -> None:
    raise _BadValueError(f"{name} is not a number that a setting can have; write a plain number")


def _hint(text: str) -> str:
    start = text.lstrip()
    if start.startswith(("#", "//", "concepts_list")) or "\n#" in text or "//" in text:
        return " (JSON has no comments and no names: keep the list from [ to ] alone)"
    return " (the last entry of a list or object has no comma behind it)" if ",\n" in text else ""


def _problems(entries: Any) -> list[str]:
    if not isinstance(entries, list):
        return [f"must be a list of concepts, [ ... ], not {_named(entries)}"]
    if not 0 < len(entries) <= MOST_CONCEPTS:
        return [f"holds {len(entries)} concepts; it must be from 1 to {MOST_CONCEPTS}"]
    problems = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            problems.append(f"concept {number} must be an object, {{ ... }}, not {_named(entry)}")
            continue
        for name, kind in FIELDS.items():
            if entry.get(name) is not None and not _is(entry[name], kind):
                wanted = kind if kind == "text" else f"a {kind}"
                problems.append(f"concept {number}: {name} must be {wanted}, not {_named(entry[name])}")
        if not entry.get("instance_data_dir"):
            problems.append(f"concept {number} has no instance_data_dir, the folder of its pictures")
    return problems


def _is(value: Any, kind: Kind) -> bool:
    if kind == "text":
        return isinstance(value, str) and is_utf8(value) and "\0" not in value
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (kind == "number" and isinstance(value, float) and math.isfinite(value))


def _named(value: Any) -> str:
    if isinstance(value, str) and not (is_utf8(value) and "\0" not in value):
        return "text with characters that no file can hold"
    return "an object" if isinstance(value, dict) else "null" if value is None else shown_value(value)
