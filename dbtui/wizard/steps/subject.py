"""Step: subject."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class SubjectScreen(StepScreen):
    """Being built."""

    NAME = "subject"
    HELP = "# subject"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
