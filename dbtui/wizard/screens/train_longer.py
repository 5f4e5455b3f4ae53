"""How far a run that is done is to be trained."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label

from dbtui.wizard.monitor.result import Length
from dbtui.wizard.widgets.problem_lines import ProblemLines

_WORDS = {"train.max_steps": "steps", "train.epochs": "epochs"}
_MOST = 10_000_000


class _Number(Input):
    """The number; Enter agrees."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "train on", id="longer.submit", tooltip="Go on from its last state"),
    ]


class TrainLonger(ModalScreen[int]):
    """Returns the new number of steps or epochs in all; 0 if the person does not want it."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "agree", "train on", id="longer.agree", tooltip="Go on from its last state"),
        Binding("escape", "leave", "cancel", id="longer.cancel", tooltip="Do nothing"),
    ]

    def __init__(self, length: Length) -> None:
        super().__init__()
        self.length = length

    def compose(self) -> ComposeResult:
        """Ask for the number; half as many more is suggested."""
        unit = _WORDS[self.length.key]
        with Vertical(classes="dialog"):
            yield Label("Train it longer", classes="title")
            yield Label(f"It has trained {self.length.value} {unit}. How many shall it be in all?", id="lines")
            yield _Number(str(self.length.value * 3 // 2 + self.length.value % 2), type="integer", id="number")
            yield ProblemLines()
        yield Footer()

    @on(Input.Submitted)
    def action_agree(self) -> None:
        """Return the number, if it is more."""
        typed = self.query_one(Input).value
        number = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else 0
        if self.length.value < number <= _MOST:
            self.dismiss(number)
        else:
            problem = f"type a whole number above {self.length.value}, at most {_MOST:,}"
            self.query_one(ProblemLines).show([problem])

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(0)
