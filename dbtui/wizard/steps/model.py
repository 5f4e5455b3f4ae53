"""Step: model."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class ModelScreen(StepScreen):
    """Being built."""

    NAME = "model"
    HELP = "# model"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
