"""Step: pictures."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class PicturesScreen(StepScreen):
    """Being built."""

    NAME = "pictures"
    HELP = "# pictures"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
