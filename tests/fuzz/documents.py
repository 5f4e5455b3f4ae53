"""TOML documents that anybody might write, or nobody would: nearly right ones, hostile ones, and noise."""

import datetime
import json
import math
import string
from typing import Any

from hypothesis import strategies as st

from trainer_core.config.fields import FieldInfo, ValueInfo, all_fields, all_tables

HOSTILE = [
    "\x1b]0;owned\x07", "\x1b[31m[bold]x[/foo][@click=app.quit]", "\u202eabc\u2066", "\x9b2J\x7f",
    "\u2028\x85\u200b", "\U000e0001\U000e0041", "a\0b", "\ufeff", "e\u0301" * 30, "\u0130\u0131\u00df",
    "../../etc/passwd", "/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/environ", "/proc/self/fd/0",
    "./" * 2000, "a" * 300 + "/b", "~/x", "~root/x", "~nobody-\u00e9/x", "$HOME/x", "${HOME}", "%USERPROFILE%\\x",
    "C:\\x", "\\\\server\\share", "//server/share", "file:///etc/passwd", "http://169.254.169.254/",
    "hf_" + "a" * 34, "{0.__class__}", "%s%n", "{{7*7}}", "__import__('os').system('id')", "CON",
    "-rf", "--help", ".", "..", "", " ",
    "\t", "\n", "nan", "1e-4", "true", "sd15-12gb", "sd15-12gb\n",
]  # fmt: skip
"""Texts that lead somewhere, act on a terminal, or are taken for something else."""

TEXTS = (
    st.sampled_from(HOSTILE)
    | st.text(max_size=40)
    | st.text(st.characters(categories=("Cc", "Cf", "Co", "Mn", "Zl"), max_codepoint=0x10FFFF), max_size=8)
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from(
        [0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(10**30), 10**400, 2**12000, 1e-308, 1e308, -0.0, math.inf]
    ),
)
TIMES = st.datetimes().map(lambda time: time.replace(tzinfo=datetime.UTC)) | st.dates() | st.times()
PLAIN = TEXTS | NUMBERS | st.booleans() | TIMES
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_DEEP = st.tuples(st.integers(1, 900), st.sampled_from(["[]", "{}"])).map(lambda made: _Raw(_nested(*made)))


class _Raw(str):
    """TOML that stands in the document as it is."""


def _nested(depth: int, kind: str) -> str:
    return "[" * depth + "]" * depth if kind == "[]" else "{a=" * depth + "1" + "}" * depth


def right(value: ValueInfo) -> st.SearchStrategy[Any]:
    """Values that a setting takes, nearly always."""
    if value.kind == "choice":
        return st.sampled_from(value.choices)
    if value.kind == "list":
        return st.tuples(*map(right, value.items)).map(list)
    if value.kind == "true/false":
        return st.booleans()
    if value.kind == "text":
        return st.sampled_from(
            ["sls", "frog", "a photo of [filewords]", ".txt", "float", "x.safetensors", "owner/name", "a, b"]
        )
    low = value.ge if value.ge is not None else value.gt if value.gt is not None else -1000
    high = value.le if value.le is not None else value.lt if value.lt is not None else 100_000
    if value.kind == "number":
        return st.floats(float(low), float(high))
    step = int(value.multiple_of or 1)
    return st.integers(-(-int(low) // step), int(high) // step).map(lambda number: number * step)


@st.composite
def _entry(draw: st.DrawFn, field: FieldInfo) -> tuple[str, Any]:
    if draw(st.integers(0, 3)):
        return field.name, draw(right(field.value))
    return draw(st.sampled_from([field.name, field.name[:-1], field.attribute, field.name.upper()])), draw(
        ANYTHING | _DEEP
    )


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Tables as a file holds them: those of the schema with right and wrong settings, and some that it lacks."""
    made: dict[str, Any] = {}
    known = [table for table in all_tables() if "." not in table.key]
    for table in draw(st.lists(st.sampled_from(known), max_size=5, unique_by=lambda table: table.key)):
        items = []
        for _ in range(draw(st.integers(1, 3)) if table.is_list else 1):
            fields = draw(st.lists(st.sampled_from(table.fields), max_size=4)) if table.fields else []
            item = dict(draw(_entry(field)) for field in fields)
            for below in table.tables:
                if draw(st.booleans()):
                    inner = dict(
                        draw(_entry(field)) for field in draw(st.lists(st.sampled_from(below.fields), max_size=3))
                    )
                    item[below.name] = [inner] * draw(st.integers(0, 3)) if below.is_list else inner
            items.append(item)
        made[table.name] = items if table.is_list else items[0]
    if draw(st.integers(0, 3)) == 0:
        names = TEXTS | st.sampled_from([*all_fields(), *(table.key for table in all_tables()), "a" * 5000])
        made |= draw(st.dictionaries(names, ANYTHING, max_size=3))
    return made


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """The bytes of a file that says it is a preset or a run file."""
    head: dict[str, Any] = {"schema": 1}
    if draw(st.integers(0, 9)) == 0:
        head["schema"] = draw(PLAIN)
    if draw(st.integers(0, 2)) == 0:
        head["extends"] = draw(st.sampled_from(["sd15-12gb", "mine", "broken", "circle"]) | ANYTHING)
    text = _written(head | draw(tables()))
    damage = draw(st.integers(0, 19))
    content = text.encode("utf-16" if damage == 0 else "utf-8-sig" if damage < 3 else "utf-8")
    if damage == 3:
        content = content[: draw(st.integers(0, len(content)))]
    elif damage == 4:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=20)) + content[at:]
    elif damage == 5:
        content = content.replace(b"\n", b"\r\n" if draw(st.booleans()) else b"\r")
    elif damage == 6:
        content *= 2
    return content


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """A file with a few settings, each of which could stand in one."""
    head: dict[str, Any] = {"schema": 1}
    if draw(st.booleans()):
        head["extends"] = draw(st.sampled_from(["sd15-12gb", "sd15-lora-8gb", "mine"]))
    made: dict[str, Any] = {}
    plain = [field for field in all_fields().values() if field.table in _PLAIN_TABLES and not field.path]
    for field in draw(st.lists(st.sampled_from(plain), max_size=3)):
        made.setdefault(field.table, {})[field.name] = draw(right(field.value))
    return _written(head | made).encode()


_PLAIN_TABLES = [table.key for table in all_tables() if "." not in table.key and not table.is_list]
_PIECES = [
    "[",
    "]",
    "{}",
    "[[",
    "]]",
    "=",
    ".",
    ",",
    "#",
    '"',
    "'",
    '"""',
    "\\",
    "\n",
    "schema",
    "1",
    "a.b",
    "0x",
    "inf",
]
NOISE = st.one_of(
    st.binary(max_size=300),
    st.text(string.printable, max_size=300).map(str.encode),
    st.lists(
        st.sampled_from(_PIECES),
        max_size=60,
    )
    .map("".join)
    .map(str.encode),
)
"""What is no configuration at all."""
FILES = nearly_right() | documents() | NOISE


def _written(made: dict[str, Any]) -> str:
    """TOML with a header for each table, or, of what holds something else, inline."""
    plain = {name: value for name, value in made.items() if not isinstance(value, dict)}
    lines = [f"{_name(name)} = {toml(value)}" for name, value in plain.items()]
    for name, value in made.items():
        if isinstance(value, dict):
            lines += ["", f"[{_name(name)}]", *(f"{_name(key)} = {toml(inner)}" for key, inner in value.items())]
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    is_bare = name and all(each in string.ascii_letters + string.digits + "-_" for each in name)
    return name if is_bare else toml(name)


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return hex(value) if value >= 10**4000 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_name(name)} = {toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat()
