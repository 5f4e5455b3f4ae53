"""Step: class_pictures."""

from textual.app import ComposeResult
from textual.widgets import Label

from dbtui.wizard.step_screen import StepScreen


class ClassPicturesScreen(StepScreen):
    """Being built."""

    NAME = "class_pictures"
    HELP = "# class_pictures"

    def body(self) -> ComposeResult:
        """Yield the parts."""
        yield Label("being built")
