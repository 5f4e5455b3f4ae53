"""The terminal: what the dashboard can draw on it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import TextIO

from dbtui.doctor.finding import Finding
from trainer_core.text import safe_text

SECTION = "terminal"
SMALLEST = (80, 24)


def terminal_findings(out: TextIO, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Judge the terminal that `out` (the process's stdout) leads to."""
    if not out.isatty():
        text = "the output goes into a file or pipe: `dbtui run` prints plain lines there"
        yield Finding(SECTION, "terminal", "ok", text)
        return
    term = environment.get("TERM", "")
    if term in {"", "dumb"}:
        text = f'TERM is "{term}": `dbtui run` prints plain lines instead of a dashboard'
        yield Finding(SECTION, "terminal", "note", text, "set TERM, for instance to xterm-256color")
    else:
        yield Finding(
            SECTION,
            "terminal",
            "ok",
            f"TERM={safe_text(term, 40)}, {_colors(out, environment)}{_way(environment)}",
        )
    yield _size()
    yield _encoding(out)


def _colors(out: TextIO, environment: Mapping[str, str]) -> str:
    from rich.console import Console

    system = Console(file=out, _environ=environment).color_system
    names = {"truecolor": "16 million colours", "256": "256 colours", "standard": "16 colours"}
    return names.get(system or "", "no colours")


def _way(environment: Mapping[str, str]) -> str:
    way = [
        name
        for name, variable in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION"))
        if environment.get(variable)
    ]
    return f", in {' over '.join(way)}" if way else ""


def _size() -> Finding:
    width, height = shutil.get_terminal_size()
    text = f"{width} columns, {height} rows"
    if width < SMALLEST[0] or height < SMALLEST[1]:
        action = f"the dashboard shows more from {SMALLEST[0]} x {SMALLEST[1]} on"
        return Finding(SECTION, "size", "note", text, action)
    return Finding(SECTION, "size", "ok", text)


def _encoding(out: TextIO) -> Finding:
    encoding = (out.encoding or "ascii").lower()
    if encoding.replace("-", "") == "utf8":
        return Finding(SECTION, "text", "ok", "UTF-8")
    text = f"{encoding}: bars and signs are shown as codes"
    return Finding(SECTION, "text", "note", text, "set LANG=C.UTF-8 (and tell your terminal to use UTF-8)")
