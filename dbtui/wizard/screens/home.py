"""Home: the runs, and where everything else begins."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Label

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp


class HomeScreen(Screen[None]):
    """The first screen."""

    HELP = "# Home\n\nYour runs, live and past; `n` begins a new one."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new_run", "new run", id="home.new", tooltip="Answer a few questions and start a training"),
        Binding("q", "app.quit", "quit", id="home.quit", tooltip="Leave; trainings go on"),
    ]

    def compose(self) -> ComposeResult:
        """Show the runs."""
        yield Label("dbtui", classes="title")
        yield Footer()

    def action_new_run(self) -> None:
        """Begin a new run."""
        cast("WizardApp", self.app).new_run()
