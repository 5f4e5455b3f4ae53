"""The monitor of a run."""

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer, Label

from trainer_core.run.directory import RunDirectory


class MonitorScreen(Screen[None]):
    """Being built."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run_directory = run

    def compose(self) -> ComposeResult:
        """Show it."""
        yield Label("being built")
        yield Footer()
