"""What the screens of all steps have in common: the line of steps, going on and back, what keeps from it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Input

from dbtui.wizard.draft import Draft
from dbtui.wizard.steps.order import STEPS
from dbtui.wizard.widgets.problem_lines import ProblemLines
from dbtui.wizard.widgets.step_line import StepLine

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp


class StepScreen(Screen[None]):
    """One step of a new run. It is made anew each time it is opened, from the draft; whatever is answered goes
    into the draft at once (`changed` tells that it did), so that going back, or losing the connection, loses
    nothing.

    A step gives `NAME`, `HELP` (Markdown for F1) and `body`; it may give `side` (a panel for wide screens),
    `problems` (what keeps from going on) and `show_key` (put the cursor on a setting).
    """

    is_going_on = False
    """Whether it goes on by itself as soon as something is known; what is typed meanwhile is for the next step."""

    NAME: ClassVar[str]
    HELP: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next", "next", id="step.next", tooltip="Go on to the next step"),
        Binding("escape", "back", "back", id="step.back", tooltip="Go back to the step before; nothing is lost"),
        Binding("f2", "steps", "steps", id="step.steps", tooltip="Go to any step"),
        Binding("f6", "review", "review", id="step.review", show=False, tooltip="Go to the review, the last step"),
    ]

    def compose(self) -> ComposeResult:
        """Put the step's own parts between the line of steps and the keys."""
        yield StepLine(self.NAME)
        with Horizontal(id="middle"):
            with VerticalScroll(id="body", can_focus=False):
                yield from self.body()
            side = list(self.side())
            if side:
                with VerticalScroll(id="side", can_focus=False):
                    yield from side
        yield ProblemLines()
        yield Footer()

    def body(self) -> ComposeResult:
        """Yield the step's widgets."""
        raise NotImplementedError

    def side(self) -> ComposeResult:
        """Yield what is shown beside them where the screen is wide."""
        yield from ()

    def problems(self) -> Sequence[str]:
        """Return what keeps from going on, each with the next action. The texts are safe to show."""
        return ()

    def show_key(self, key: str) -> None:
        """Put the cursor on the setting `key`: by default on the widget whose id is made of it."""
        for widget in self.query(f"#{id_of(key)}"):
            self.set_focus(widget if widget.focusable else None)

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    @property
    def draft(self) -> Draft:
        """The answers."""
        return self.wizard.draft

    def changed(self) -> None:
        """Tell that an answer was written into the draft: it is saved, and an old complaint is taken away."""
        self.wizard.draft_changed()
        self.complain(())

    def complain(self, problems: Iterable[str]) -> None:
        """Show what keeps from going on, above the keys."""
        self.query_one(ProblemLines).show(problems)

    def on_mount(self) -> None:
        """Remember that the person is here."""
        self.draft.step = self.NAME
        self.wizard.draft_changed()

    @on(Input.Submitted)
    def _go_on(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_next()

    def action_next(self) -> None:
        """Go on, or say what keeps from it."""
        if problems := list(self.problems()):
            self.complain(problems)
            return
        self.wizard.go_by(1)

    def action_back(self) -> None:
        """Go back, whatever the answers are worth."""
        self.wizard.go_by(-1)

    def action_review(self) -> None:
        """Go to the last step, which says what is still to be mended."""
        self.wizard.go_to(STEPS[-1])

    def action_steps(self) -> None:
        """Choose a step to go to."""
        self.wizard.choose_step()


def id_of(key: str) -> str:
    """Return the id of the widget that asks for a setting."""
    return key.replace(".", "--")
