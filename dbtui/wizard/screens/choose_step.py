"""A list of the steps to choose one from."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from dbtui.wizard.steps.order import STEPS, step_named


class ChooseStep(ModalScreen[str]):
    """Returns the name of the step that was chosen; "" if none was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close", id="choose_step.close", tooltip="Stay where you are"),
        *(
            Binding(
                f"{place}", f"dismiss({step.name!r})", id=f"choose_step.{step.name}", tooltip=f"Go to {step.word}"
            )
            for place, step in enumerate(STEPS, 1)
        ),
    ]

    def __init__(self, present: str) -> None:
        super().__init__()
        self.present = present

    def compose(self) -> ComposeResult:
        """List the steps, the present one highlighted."""
        with Vertical(classes="dialog"):
            yield Label("Go to", classes="title")
            yield OptionList(
                *(Option(f"{place} {step.word}", id=step.name) for place, step in enumerate(STEPS, 1))
            )

    def on_mount(self) -> None:
        """Begin at the present step."""
        options = self.query_one(OptionList)
        options.highlighted = STEPS.index(step_named(self.present))
        options.focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id or "")

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss("")
