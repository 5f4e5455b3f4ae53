"""Step: training."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class TrainingScreen(StepScreen):
    """Being built."""

    NAME = "training"
    HELP = "# training"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
