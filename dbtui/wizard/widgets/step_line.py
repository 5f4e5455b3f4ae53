"""The line of steps at the top: where the person is, what is behind and what is missing there, what is to come."""

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widget import Widget

from dbtui.wizard.steps.answered import is_answered
from dbtui.wizard.steps.order import STEPS, step_named

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp


class StepLine(Widget):
    """Shows all steps where there is room, else the nearest ones."""

    DEFAULT_CSS = """
    StepLine { height: 2; padding: 0 2; border-bottom: solid $panel; }
    """

    def __init__(self, step: str) -> None:
        super().__init__()
        self.place = STEPS.index(step_named(step))

    def render(self) -> Text:
        """Draw as much of the line as fits, the present step always."""
        width = max(10, self.size.width)
        for last in range(len(STEPS), self.place, -1):
            for first in range(self.place + 1):
                line = self._line(first, last)
                if line.cell_len <= width:
                    return line
        return self._line(self.place, self.place + 1)

    def _line(self, first: int, last: int) -> Text:
        line = Text("New run", style="bold")
        line.append("  …" if first else "", style="dim")
        for place in range(first, last):
            sign = self._sign(place)
            style = "bold" if place == self.place else "dim"
            line.append(f"   {place + 1} {STEPS[place].word}{sign}", style=style)
        return line.append(" …" if last < len(STEPS) else "", style="dim")

    def _sign(self, place: int) -> str:
        if place >= self.place:
            return " ▸" if place == self.place else ""
        return " ✓" if is_answered(cast("WizardApp", self.app).draft, STEPS[place].name) else " !"
