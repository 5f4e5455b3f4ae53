"""The previews of a run side by side: a row for each prompt and seed, a column for each step."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from dbtui.wizard.monitor.result import Shown
from dbtui.wizard.monitor.sheet import Sheet
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.text import safe_text

_WIDTH, _HEIGHT = 18, 9
"""Cells that a picture takes at least, the words above it among them."""


class RunSheetScreen(Screen[None]):
    """Shows as many steps and prompts as there is room for, the newest steps first; the arrows move on."""

    CSS_PATH = "run_sheet.tcss"
    HELP = """\
# All previews

A row is one prompt at one seed, a column one step, so that along a row only what was learned differs. **✓** marks
steps at which a model was saved, **★** the one that the numbers suggest. The arrows move on where not all fits.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1, 0)", "before", id="sheet.before", tooltip="Earlier steps"),
        Binding("right", "move(1, 0)", "after", id="sheet.after", tooltip="Later steps"),
        Binding("up", "move(0, -1)", "prompts", id="sheet.up", tooltip="The prompts above"),
        Binding("down", "move(0, 1)", "prompts", id="sheet.down", tooltip="The prompts below"),
        Binding("escape,t,q", "close", "close", id="sheet.close", tooltip="Back to one at a time"),
    ]

    def __init__(self, name: str, sheet: Sheet) -> None:
        super().__init__()
        self.name_of_run, self.sheet = name, sheet
        self._steps = sheet.steps
        self._step, self._row = len(self._steps), 0
        self._room = (0, 0)

    def compose(self) -> ComposeResult:
        """Yield the room for the rows."""
        legend = Text.assemble((f"{self.name_of_run} · previews", "bold"), "   ✓ saved   ★ suggested")
        yield Static(legend, id="title", markup=False)
        yield Vertical(id="rows")
        yield Footer()

    def on_resize(self) -> None:
        """Show as many as there is room for."""
        self.call_after_refresh(self._arrange)

    @property
    def _shown_steps(self) -> Sequence[int]:
        return self._steps[self._step : self._step + self._room[0]]

    def _arrange(self) -> None:
        width, height = self.query_one("#rows").size
        room = max(1, width // _WIDTH), max(1, height // _HEIGHT)
        if room != self._room:
            self._room = room
            self._move_to(self._step, self._row)

    def _move_to(self, step: int, row: int) -> None:
        columns, rows = self._room
        self._step = max(0, min(step, len(self._steps) - columns))
        self._row = max(0, min(row, len(self.sheet.rows) - rows))
        self._fill()

    @work(exclusive=True, group="sheet", exit_on_error=False)
    async def _fill(self) -> None:
        place = self.query_one("#rows")
        rows = [self._widgets(row) for row in self.sheet.rows[self._row : self._row + self._room[1]]]
        async with self.batch():
            await place.remove_children()
            await place.mount(*rows)

    def _widgets(self, row: Sequence[Shown]) -> Widget:
        """Return the row of one prompt; a step at which it was not drawn stays empty."""
        drawn = {shown.step: shown for shown in row}
        cells = []
        for step in self._shown_steps:
            head = Static(f"step {step}{self.sheet.mark(step)[:2]}", classes="head", markup=False)
            picture = Thumbnail(drawn[step].path) if step in drawn else Static("")
            cells.append(Vertical(head, picture, classes="cell"))
        words = Static(Text(f"“{safe_text(row[0].prompt)}”", "italic"), classes="prompt", markup=False)
        return Vertical(words, Horizontal(*cells), classes="row")

    def action_move(self, steps: int, rows: int) -> None:
        """Show other steps or prompts."""
        self._move_to(self._step + steps, self._row + rows)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()
