"""The list of runs, which keeps itself fresh, and the search in it."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from dbtui.wizard.home.words import EMPTY, runs_line, slow_line
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.widgets.row_list import RowList
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbtui.runs.catalogue import Catalogue
    from dbtui.runs.summary import RunSummary
    from dbtui.wizard.app import WizardApp
    from dbtui.wizard.home.rows import RunRow

_LOOK_EVERY = 1.5
_SLOW = 5.0
"""Seconds without an answer after which the disk is said to be slow."""


class RunsTable(Vertical):
    """Lists the runs; looks for changes as long as its screen is the one that is shown.

    `RunsTable.Changed` tells that the run under the cursor is another, or stands in another way.
    """

    @dataclass
    class Changed(Message):
        """The run under the cursor is another one, or is not what it was."""

    def __init__(self) -> None:
        super().__init__(id="runs_table")
        self.rows: list[RunRow] = []
        self.is_known = False
        """Whether every run was looked at."""
        self._catalogue: Catalogue | None = None
        self._looking_since: float | None = None
        self._told: tuple[RunRow | None, bool] = None, False

    def compose(self) -> ComposeResult:
        """Yield the headline with the search in it, the list, and what stands there while it is empty."""
        with Horizontal(id="runs_head"):
            yield Static("Runs", id="runs_line", markup=False)
            yield Input(placeholder="part of a name, or done, stopped, failed …", id="search")
        yield Static(EMPTY, id="empty")
        yield RowList(id="runs")

    @property
    def row(self) -> "RunRow | None":
        """The run under the cursor."""
        key = self.query_one(RowList).key
        return next((row for row in self.rows if row.name == key), None)

    @property
    def summary(self) -> "RunSummary | None":
        """All that is known of it."""
        return self._catalogue.summary(self.row.name) if self._catalogue and self.row else None

    def on_mount(self) -> None:
        """Look for runs once the first picture stands, and again and again."""
        self.call_after_refresh(self.look)
        self.set_interval(_LOOK_EVERY, self.look)

    def on_resize(self) -> None:
        """Set the columns anew."""
        self.call_after_refresh(self._show)

    def look(self) -> None:
        """Look at what changed, unless that is under way."""
        if self._looking_since is not None:
            if time.monotonic() - self._looking_since > _SLOW:
                self._tell(slow_line(cast("WizardApp", self.app).options.runs_dir))
        elif self.screen.is_current:
            self._looking_since = time.monotonic()
            self._look()

    @work(group="runs", exit_on_error=False)
    async def _look(self) -> None:
        from dbtui.runs.catalogue import Catalogue

        try:
            self._catalogue = self._catalogue or Catalogue(cast("WizardApp", self.app).options.runs_dir)
            looks, is_more = self._catalogue.look(), True
            while is_more:
                self.rows, is_more = await in_thread(_rows_after, self._catalogue, looks)
                self._show()
            self.is_known = True
            self._show()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._tell(f"Runs    they cannot be read: {safe_text(error, 200)}")
        finally:
            self._looking_since = None

    def _show(self) -> None:
        from dbtui.wizard.home.rows import lines_of

        searched = self.query_one("#search", Input).value
        rows = [row for row in self.rows if row.is_about(searched)]
        runs = self.query_one(RowList)
        runs.show([row.name for row in rows], lines_of(rows, max(20, runs.size.width - 2)))
        self.set_class(self.is_known and not self.rows, "-empty")
        self._tell(runs_line(self.rows, len(rows), searched, cast("WizardApp", self.app).options.runs_dir))
        self._tell_change()

    @on(RowList.Moved)
    def _tell_change(self) -> None:
        now = self.row, self.is_known
        if now != self._told:
            self._told = now
            self.post_message(self.Changed())

    def _tell(self, words: str) -> None:
        line = self.query_one("#runs_line", Static)
        if words != str(line.content):
            line.update(words)

    # The search.

    def search(self) -> None:
        """Open the field."""
        self.add_class("-searching")
        self.query_one("#search", Input).focus()

    def end_search(self) -> None:
        """Show all runs again."""
        self.remove_class("-searching")
        self.query_one("#search", Input).value = ""
        self.query_one(RowList).focus()

    @on(Input.Changed, "#search")
    def _searched(self) -> None:
        self._show()

    @on(Input.Submitted, "#search")
    def _found(self) -> None:
        self.query_one(RowList).focus()


def _rows_after(catalogue: "Catalogue", looks: "Iterator[None]") -> "tuple[list[RunRow], bool]":
    """Look further; return the rows as far as they are known, and whether there is more to look at."""
    from dbtui.wizard.home.rows import row_of
    from trainer_core.run.directory import RunDirectory

    is_more = next(looks, looks) is None
    now, folder = time.time(), catalogue.runs_dir.absolute()
    rows = [row_of(RunDirectory(folder / name), catalogue.summary(name), now) for name in catalogue.names]
    return rows, is_more
