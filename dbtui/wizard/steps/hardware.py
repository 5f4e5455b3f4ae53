"""Step: hardware."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class HardwareScreen(StepScreen):
    """Being built."""

    NAME = "hardware"
    HELP = "# hardware"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
