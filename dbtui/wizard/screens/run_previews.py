"""The previews of a run, one at a time and as large as the screen: walk through the steps and the prompts."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.monitor.sheet import Sheet, sheet_of
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text


class RunPreviewsScreen(Screen[None]):
    """Begins with the newest preview of the first prompt."""

    CSS_PATH = "run_previews.tcss"
    HELP = """\
# The previews

The same prompt and seed at every step at which a preview was drawn: **left** and **right** walk through the steps,
**up** and **down** through the prompts; **t** shows all side by side. The best step is
often not the last: a model that begins to repeat your photos, background and all, has learned for too long.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "walk(-1)", "before", id="previews.before", tooltip="The step before"),
        Binding("right", "walk(1)", "after", id="previews.after", tooltip="The step after"),
        Binding("up", "prompt(-1)", "prompt", id="previews.up", tooltip="The prompt before"),
        Binding("down", "prompt(1)", "prompt", id="previews.down", tooltip="The next prompt"),
        Binding("t", "sheet", "all", id="previews.sheet", tooltip="All of them, prompts by steps"),
        Binding("escape,b,q", "close", "close", id="previews.close", tooltip="Back to the run"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run_directory = run
        self.sheet = Sheet()
        self._row = self._place = 0

    def compose(self) -> ComposeResult:
        """Yield the picture and what it is."""
        yield Static(Text(f"{self.run_directory.name} · previews", "bold"), id="title", markup=False)
        yield Thumbnail(id="picture")
        yield Static(id="words", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look for them."""
        self._read()

    @work(exclusive=True, group="previews", exit_on_error=False)
    async def _read(self) -> None:
        try:
            self.sheet = await in_thread(sheet_of, self.run_directory)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self.query_one("#words", Static).update(Text(f"! {safe_text(error)}"))
            return
        self._place = len(self.sheet.rows[0]) - 1 if self.sheet.rows else 0
        self._show()

    def _show(self) -> None:
        words = self.query_one("#words", Static)
        self.refresh_bindings()
        if not self.sheet.rows:
            words.update("no preview was drawn yet: v in the monitor draws them now")
            return
        row = self.sheet.rows[self._row]
        shown = row[self._place]
        self.query_one("#picture", Thumbnail).show(shown.path)
        of_rows = f"   prompt {self._row + 1} of {len(self.sheet.rows)}" if len(self.sheet.rows) > 1 else ""
        where = f"step {shown.step}{self.sheet.mark(shown.step)}   {self._place + 1} of {len(row)}{of_rows}"
        words.update(Text.assemble((where, "bold"), "\n", (f"“{safe_text(shown.prompt)}”", "italic")))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Walking needs somewhere to go, and a sheet something to show."""
        if action == "prompt":
            return len(self.sheet.rows) > 1
        return action not in {"walk", "sheet"} or bool(self.sheet.rows)

    def action_walk(self, by: int) -> None:
        """Show another step."""
        if self.sheet.rows:
            self._place = max(0, min(self._place + by, len(self.sheet.rows[self._row]) - 1))
            self._show()

    def action_prompt(self, by: int) -> None:
        """Show another prompt, at the step that is nearest."""
        if self.sheet.rows:
            step = self.sheet.rows[self._row][self._place].step
            self._row = (self._row + by) % len(self.sheet.rows)
            row = self.sheet.rows[self._row]
            self._place = min(range(len(row)), key=lambda place: abs(row[place].step - step))
            self._show()

    def action_sheet(self) -> None:
        """Show all of them side by side."""
        from dbtui.wizard.screens.run_sheet import RunSheetScreen

        self.app.push_screen(RunSheetScreen(self.run_directory.name, self.sheet))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()
