"""How pictures are drawn on this terminal: as half blocks, or as pictures where it certainly can."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dbtui.wizard.options import Images
from trainer_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from textual.widget import Widget

_FAR = ("SSH_CONNECTION", "SSH_TTY", "TMUX", "STY", "MOSH_CONNECTION")
"""What says that something lies between: answers come late or never, and pictures are swallowed on the way."""
_NAMES = ("kitty", "ghostty", "foot", "wezterm", "iterm", "contour", "mlterm", "rio")
_MARKS = ("KITTY_WINDOW_ID", "WEZTERM_PANE", "GHOSTTY_RESOURCES_DIR", "KONSOLE_VERSION", "WT_SESSION")
_WIDGETS: Mapping[str, str] = {"kitty": "TGPImage", "sixel": "SixelImage"}


def settled(images: Images) -> Images:
    """Return how pictures will be drawn: kitty, sixel, half or off, never auto. To be called before the app runs.

    The library that draws real pictures asks the terminal when it is imported, and would take the keys of a
    running app for the answer. It is asked only where the terminal's name promises something.

    Raises:
        UserError: kitty or sixel is asked for and the extra that draws them is missing (code CONFIG).
    """
    if images in ("half", "off"):
        return images
    is_there = find_spec("textual_image") is not None
    if images == "auto":
        return _found() if is_there and _may_be_asked(os.environ) else "half"
    if not is_there:
        text = f'--images {images} needs an optional part: pip install "dbtui[image]"; or use --images half'
        raise UserError(text, ExitCode.CONFIG)
    import_module("textual_image.widget")
    return images


def real_picture(images: Images) -> "Widget | None":
    """Return a widget whose attribute `image` it draws as a real picture; None where half blocks are drawn."""
    if images not in _WIDGETS or "textual_image.widget" not in sys.modules:
        return None
    widget: Widget = getattr(sys.modules["textual_image.widget"], _WIDGETS[images])()
    return widget


def _may_be_asked(environment: Mapping[str, str]) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or any(name in environment for name in _FAR):
        return False
    named = f"{environment.get('TERM', '')} {environment.get('TERM_PROGRAM', '')}".lower()
    return any(name in named for name in _NAMES) or any(mark in environment for mark in _MARKS)


def _found() -> Images:
    """Ask the terminal, by importing the library that does."""
    import_module("textual_image.widget")
    chosen = sys.modules["textual_image.renderable"].Image.__module__.rpartition(".")[2]
    ways: Mapping[str, Images] = {"tgp": "kitty", "sixel": "sixel"}
    return ways.get(chosen, "half")
