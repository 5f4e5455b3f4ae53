"""Writes what the documentation takes from the schema and the presets. Run by `make generate`.

A test compares the committed files with what this program would write.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbtui.presets.inspect import inspect
from dbtui.presets.library import shipped
from trainer_core.config.fields import FieldInfo, TableInfo, ValueInfo, all_tables, root
from trainer_core.config.schema import SCHEMA_VERSION
from trainer_core.config.words import expected, shown_condition
from trainer_core.config.writer import shown_toml

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "Written by tools/generate_docs.py from the schema; `make generate` writes it anew."
MARKS = ("<!-- shipped presets: begin -->", "<!-- shipped presets: end -->")
JSON_TYPES = {"text": "string", "number": "number", "whole number": "integer", "true/false": "boolean"}
JSON_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


def main() -> int:
    """Write every generated file and say which of them changed."""
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


def generated() -> dict[Path, str]:
    """Return the text of every generated file."""
    presets_page = ROOT / "docs" / "presets.md"
    return {
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / "docs" / "settings.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        ROOT / "docs" / "coverage.md": coverage_page(),
        presets_page: with_preset_table(presets_page.read_text(encoding="utf-8")),
    }


def settings_page() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        f"<!-- {NOTICE} -->",
        "",
        "Every setting of a preset or run file. Files are TOML; names, types and bounds are checked when a file is"
        " read, and everything that is wrong is told at once. An editor that knows JSON Schema (taplo, Even Better"
        " TOML) completes and checks them if the first line of the file names this folder's schema:"
        " `#:schema PATH/settings.schema.json`.",
        "",
        f'`schema = {SCHEMA_VERSION}` stands at the top of every file. `extends = "NAME"` beside it takes over a'
        " preset ([presets](presets.md)).",
        "",
        "*machine* marks what belongs to one machine and so never to a preset. Relative paths in a file begin at"
        " the file's folder; on the command line they begin at the current folder. A setting that the others leave"
        " without effect is an error, not silence; the condition stands beside it.",
    ]
    for table in all_tables():
        lines += ["", f"## `{table.header}`", "", table.help]
        if table.fields:
            lines += ["", "| setting | value | default | |", "|---|---|---|---|"]
            lines += [_row(field) for field in table.fields]
    return "\n".join(lines) + "\n"


def _row(field: FieldInfo) -> str:
    unit = f" ({field.unit})" if field.unit else ""
    notes = [field.help]
    if field.binding:
        notes.append("*machine*")
    if field.used_when:
        notes.append(f"Only with `{shown_condition(field.used_when)}`.")
    if field.about.instead_of:
        notes.append(f"Not together with `{field.about.instead_of}`.")
    cells = [f"`{field.name}`", expected(field.value) + unit, _default(field), " ".join(notes)]
    return _markdown_row(cells)


def _default(field: FieldInfo) -> str:
    if field.required:
        return "must be given"
    return "" if field.default in (None, "") else f"`{shown_toml(field.default)}`"


def json_schema() -> dict[str, Any]:
    """Return the schema as JSON Schema, draft 2020-12."""
    top: dict[str, Any] = {
        "schema": {"description": "Version of the schema.", "const": SCHEMA_VERSION},
        "extends": {"description": "Name of the preset that this file builds on.", "type": "string"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dbtui preset or run file",
        "description": NOTICE,
        "type": "object",
        "additionalProperties": False,
        "required": ["schema"],
        "properties": {**top, **{table.name: _json_table(table) for table in root().tables}},
    }


def _json_table(table: TableInfo) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "object", "description": table.help, "additionalProperties": False}
    if required := [field.name for field in table.fields if field.required]:
        inner["required"] = required
    inner["properties"] = {
        **{field.name: _json_field(field) for field in table.fields},
        **{below.name: _json_table(below) for below in table.tables},
    }
    if not table.is_list:
        return inner
    limit = {} if table.max_length is None else {"maxItems": table.max_length}
    return {"type": "array", "description": table.help, **limit, "items": inner}


def _json_field(field: FieldInfo) -> dict[str, Any]:
    notes = [field.help]
    if field.unit:
        notes.append(f"Unit: {field.unit}.")
    if field.used_when:
        notes.append(f"Only with {shown_condition(field.used_when)}.")
    default = {} if field.default is None else {"default": field.default}
    return {"description": " ".join(notes), **_json_value(field.value), **default}


def _json_value(value: ValueInfo) -> dict[str, Any]:
    if value.kind == "choice":
        return {"enum": list(value.choices)}
    if value.kind == "list":
        items = [_json_value(item) for item in value.items]
        return {
            "type": "array",
            "prefixItems": items,
            "items": False,
            "minItems": len(items),
            "maxItems": len(items),
        }
    bounds = {word: getattr(value, name) for name, word in JSON_BOUNDS.items() if getattr(value, name) is not None}
    return {"type": JSON_TYPES[value.kind], **bounds}


def coverage_page() -> str:
    """Return docs/coverage.md."""
    lines = [
        "# Coverage",
        "",
        "<!-- Written by tools/generate_docs.py from tests/coverage; `make generate` writes it anew. -->",
        "",
        "Every flag of the three documents that dbtui began with, and every feature that kohya's sd-scripts has"
        " for SD 1.x and 2.x, with its name here or the reason why there is none. Tests hold the page: settings"
        " and commands on it exist, and [each setting does what it says](../tests/trainer/every_setting). Their"
        " values are in [settings](settings.md).",
    ]
    for file in sorted((ROOT / "tests" / "coverage").glob("*.toml")):
        source = tomllib.loads(file.read_text(encoding="utf-8"))
        lines += ["", f"## {source['title']}"]
        for part in source["part"]:
            lines += ["", f"### {part['name']}", "", "| there | here |", "|---|---|"]
            lines += [_markdown_row([_there(entry["name"]), _here(entry)]) for entry in part["entries"]]
    return "\n".join(lines) + "\n"


def _there(name: str) -> str:
    return f"`{name}`" if name.startswith("-") or (name.isupper() and len(name) > 3) else name


def _here(entry: dict[str, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in (*entry.get("setting", ()), *entry.get("command", ())))
    more = entry.get("note") or entry.get("reason") or ""
    return f"{names}: {more}" if names and more else names or f"none: {more}"


def with_preset_table(page: str) -> str:
    """Return the page with the table of shipped presets between its marks written anew."""
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return "\n".join([before + MARKS[0], *_preset_rows(), MARKS[1] + after])


def _preset_rows() -> Iterator[str]:
    yield "| preset | card | steps x batch | precision | about | measured |"
    yield "|---|---|---|---|---|---|"
    for preset in map(inspect, shipped()):
        if preset.config is None:
            raise SystemExit("\n".join(preset.problems))
        train, memory, about = preset.config.train, preset.config.memory, preset.config.preset
        precision = (
            f"all {memory.mixed_precision}" if memory.full_fp16 or memory.full_bf16 else memory.mixed_precision
        )
        cells = [
            f"`{preset.preset.name}`",
            f"{about.min_vram_gb:g} GB",
            f"{train.max_steps} x {train.batch_size}",
            precision,
            about.description,
            preset.measured,
        ]
        yield _markdown_row(cells)


def _markdown_row(cells: list[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    sys.exit(main())
