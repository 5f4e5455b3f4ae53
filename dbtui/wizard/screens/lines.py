"""A list of lines to read: everything of which a screen shows the beginning."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Label, Static

from trainer_core.text import safe_text

MOST = 500
"""Lines; whoever has more problems than these reads no list."""


class LinesScreen(ModalScreen[None]):
    """Shows lines that scroll; any of the usual keys closes it."""

    CSS_PATH = "lines.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,p", "dismiss", "close", id="lines.close", tooltip="Go back to the screen"),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.shown_title = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        """Show the title and the lines."""
        more = [f"and {len(self.lines) - MOST:,} more lines"] if len(self.lines) > MOST else []
        text = "\n".join(safe_text(line, 1000) for line in (*self.lines[:MOST], *more))
        with Vertical(classes="dialog"):
            yield Label(Text(safe_text(self.shown_title)), classes="title")
            with VerticalScroll():
                yield Static(Text(text), markup=False)
        yield Footer()
