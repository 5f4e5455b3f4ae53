"""Step: review."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class ReviewScreen(StepScreen):
    """Being built."""

    NAME = "review"
    HELP = "# review"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
