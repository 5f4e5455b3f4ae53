"""Step: goal."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class GoalScreen(StepScreen):
    """Being built."""

    NAME = "goal"
    HELP = "# goal"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
