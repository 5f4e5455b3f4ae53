"""`dbtui` without a command: whether that opens the application, found out without importing any command."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dbtui.wizard.options import IMAGES, AppOptions

DEFAULT_RUNS_DIR = Path("runs")


def app_options(arguments: Sequence[str]) -> AppOptions | None:
    """Return what a command line says about the application.

    None if it says anything else: a command, `--help`, or a mistake, which the whole command line explains.
    """
    runs_dir, mouse, images = DEFAULT_RUNS_DIR, True, "auto"
    words = _words(arguments)
    for word in words:
        if word == "--no-mouse":
            mouse = False
        elif word == "--runs-dir" and (value := next(words, "")):
            runs_dir = Path(value)
        elif word == "--images":
            images = next(words, "")
        else:
            return None
    chosen = next((each for each in IMAGES if each == images), None)
    return AppOptions(runs_dir, mouse=mouse, images=chosen) if chosen else None


def _words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the words, `--option=value` as two."""
    for argument in arguments:
        option, sign, value = argument.partition("=")
        yield option
        if sign:
            yield value


def is_on_a_terminal() -> bool:
    """Tell whether a person sits before a terminal that can be drawn on."""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)  # Textual draws on stderr
    is_there = all(stream is not None and stream.isatty() for stream in streams)
    return is_there and os.environ.get("TERM", "") not in {"", "dumb"}
