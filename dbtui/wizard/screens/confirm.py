"""A question before something that takes effect at once."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Label, Static

from trainer_core.text import safe_text


class Confirm(ModalScreen[bool]):
    """Returns whether the person agreed; enter is no agreement, since it is pressed by habit.

    The lines may come from outside: they are made safe here.
    """

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape", "answer(False)", "no", id="confirm.no", tooltip="Do nothing"),
    ]

    def __init__(self, title: str, lines: Sequence[str], yes: str) -> None:
        super().__init__()
        self.question = title
        self.lines = lines
        self.yes = yes

    def compose(self) -> ComposeResult:
        """Show the question, what it is about, and the two answers."""
        with VerticalScroll(classes="dialog"):
            yield Label(Text(safe_text(self.question)), classes="title")
            if self.lines:
                text = "\n".join(safe_text(line, 2000) for line in self.lines)
                yield Static(Text(text), id="lines", markup=False)
            yield Label(f"y  {self.yes}      n  no", id="answers", markup=False)
        yield Footer()

    def action_answer(self, is_yes: bool) -> None:
        """Tell the answer."""
        self.dismiss(is_yes)
