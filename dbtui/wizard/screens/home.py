"""Home: the runs, live and past, and where everything else begins."""

import time
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.screen import Screen
from textual.widgets import Footer, Label, Static

from dbtui.wizard.home.run_detail import RunDetail
from dbtui.wizard.home.runs_table import RunsTable
from dbtui.wizard.home.words import HELP, PLACES, drafts_line
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.widgets.gpu_line import GpuLine
from dbtui.wizard.widgets.row_list import RowList

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp
    from trainer_core.run.directory import RunDirectory

_RESUMABLE = {"paused", "stopped", "failed", "crashed", "fetched", "not started"}


class HomeScreen(Screen[None]):
    """The first screen."""

    HELP = HELP
    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "open", "open", id="home.open", tooltip="The monitor of a live run, the result of others"
        ),
        Binding("n", "new_run", "new run", id="home.new", show=False, tooltip="Eight questions, then it trains"),
        Binding("f", "new_from", "reuse", id="home.from", tooltip="A new run with this one's answers"),
        Binding("r", "resume", "resume", id="home.resume", tooltip="Go on where it stopped; what changed is told"),
        Binding("d", "delete", "delete", id="home.delete", tooltip="Remove a run; it asks first"),
        Binding("slash", "search", "search", id="home.search", key_display="/", tooltip="Find a run by its name"),
        Binding("escape", "end_search", "all runs", id="home.all", tooltip="End the search"),
        Binding("c", "continue", "continue", id="home.continue", show=False, tooltip="A run not started yet"),
        Binding("t", "demo", "try it", id="home.demo", show=False, tooltip="Learn one frog with a hat"),
        Binding("p", "visit('presets')", "presets", id="home.presets", show=False, tooltip="Settings for a GPU"),
        Binding("m", "visit('models')", "models", id="home.models", show=False, tooltip="Models on this machine"),
        Binding("g", "visit('generate')", "generate", id="home.generate", show=False, tooltip="Draw with a model"),
        Binding("h", "visit('doctor')", "doctor", id="home.doctor", show=False, tooltip="Can this machine train?"),
        Binding("q", "app.quit", "quit", id="home.quit", tooltip="Leave; trainings go on"),
    ]

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    @property
    def table(self) -> RunsTable:
        """The list of runs."""
        return self.query_one(RunsTable)

    def compose(self) -> ComposeResult:
        """Yield the head, the runs, what is told of one of them, and the keys to everything else."""
        with Horizontal(id="head"):
            yield Label("dbtui", id="name")
            yield GpuLine()
        yield Static(id="drafts", markup=False)
        with Container(id="middle"):
            yield RunsTable()
            yield RunDetail()
        yield Static(PLACES, id="places")
        yield Footer(compact=True)

    def on_screen_resume(self) -> None:
        """Look at once: something may have been started, or answered, meanwhile."""
        self.call_after_refresh(self.table.look)
        self.call_after_refresh(self._look_for_drafts)

    @on(RunsTable.Changed)
    def _show_detail(self) -> None:
        self.query_one(RunDetail).show(self.table.summary)
        self.refresh_bindings()

    @work(exclusive=True, group="drafts", exit_on_error=False)
    async def _look_for_drafts(self) -> None:
        from dbtui.wizard.draft_words import left_words

        left = await in_thread(self.wizard.keeper.left)
        words = [left_words(each, time.time()) for each in left]
        drafts = self.query_one("#drafts", Static)
        drafts.update(drafts_line(words))
        drafts.display = bool(words)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the run under the cursor."""
        if not self.is_mounted:
            return True
        row, table = self.table.row, self.table
        match action:
            case "open" | "new_from":
                return row is not None
            case "resume":
                return row is not None and row.status in _RESUMABLE
            case "delete":
                return row is not None and not row.lives
            case "search":
                return bool(table.rows) and not table.has_class("-searching")
            case "end_search":
                return table.has_class("-searching")
        return True

    # With the run under the cursor.

    @on(RowList.Chosen)
    def action_open(self) -> None:
        """Open the monitor of a live run, the result of one that is over."""
        if row := self.table.row:
            self.wizard.watch_run(row.run)

    def action_new_from(self) -> None:
        """Begin a new run with its answers."""
        if row := self.table.row:
            self._new_from(row.run)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def _new_from(self, run: "RunDirectory") -> None:
        from dbtui.wizard.run_actions import new_from

        await new_from(self.wizard, run)

    def action_resume(self) -> None:
        """Go on with it."""
        if row := self.table.row:
            self._resume(row.run)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def _resume(self, run: "RunDirectory") -> None:
        from dbtui.wizard.run_actions import resume

        await resume(self.wizard, run)

    def action_delete(self) -> None:
        """Remove it, after a question."""
        if row := self.table.row:
            self._delete(row.run)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def _delete(self, run: "RunDirectory") -> None:
        from dbtui.wizard.run_actions import delete

        if await delete(self.wizard, run):
            self.table.look()

    def action_search(self) -> None:
        """Find a run."""
        self.table.search()
        self.refresh_bindings()

    def action_end_search(self) -> None:
        """Show all runs again."""
        self.table.end_search()
        self.refresh_bindings()

    # Elsewhere.

    def action_new_run(self) -> None:
        """Begin a new run."""
        self.wizard.new_run()

    def action_continue(self) -> None:
        """Go on with a run that was not started yet."""
        self.wizard.continue_draft()

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_demo(self) -> None:
        """Train the demo's model and watch it."""
        from dbtui.wizard.run_actions import try_demo

        await try_demo(self.wizard)

    def action_visit(self, place: str) -> None:
        """Open one of the screens that are no steps."""
        self.wizard.visit(place)
