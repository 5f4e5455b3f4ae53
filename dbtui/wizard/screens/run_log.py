"""The log of a run, as `dbtui log -f` tells it."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, RichLog, Static

from dbtui.runs.follow import Follower
from dbtui.runs.log import LogReader
from dbtui.wizard.in_thread import in_thread
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

_LOOK_EVERY = 0.7
_MOST_LINES = 5000
_AT_ONCE = 200


class RunLogScreen(Screen[None]):
    """Follows the lines until the run ends; it stays at the end unless the person scrolls up."""

    CSS_PATH = "run_log.tcss"
    HELP = """\
# The log

What happened in this run, and between that what the trainer's libraries printed. New lines appear at the end;
scroll up (**arrows**, **page up**) and it stays where you read, **end** follows again.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l,q", "close", "close", id="log.close", tooltip="Back to the run"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run_directory = run
        self._reader: LogReader | None = None
        self._follower: Follower | None = None
        self._is_looking = False
        self._is_over = False

    def compose(self) -> ComposeResult:
        """Yield the lines."""
        yield Static(Text(f"{self.run_directory.name} · log", "bold"), id="title", markup=False)
        yield RichLog(max_lines=_MOST_LINES, min_width=20, wrap=True, markup=False, highlight=False, id="log")
        yield Footer()

    def on_mount(self) -> None:
        """Read it, and what comes."""
        self.query_one(RichLog).focus()
        self._look()
        self.set_interval(_LOOK_EVERY, self._look)

    def _look(self) -> None:
        if not self._is_looking and not self._is_over:
            self._is_looking = True
            self._read()

    @work(group="log", exit_on_error=False)
    async def _read(self) -> None:
        try:
            lines = await in_thread(self._new_lines)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            lines, self._is_over = [f"! the log cannot be read: {safe_text(error)}"], True
        await self._write(lines[-_MOST_LINES:])
        self._is_looking = False

    async def _write(self, lines: Sequence[str]) -> None:
        """Add lines to those that are there; thousands of them take a while, in which keys are answered."""
        log = self.query_one(RichLog)
        stays = log.max_scroll_y - log.scroll_y > 1
        for first in range(0, len(lines), _AT_ONCE):
            for line in lines[first : first + _AT_ONCE]:
                log.write(Text(line), scroll_end=not stays, animate=False)
            await asyncio.sleep(0)

    def _new_lines(self) -> list[str]:
        """Called in a thread."""
        self._follower = self._follower or Follower(self.run_directory)
        self._reader = self._reader or LogReader(self.run_directory)
        self._follower.poll()
        self._is_over = self._follower.has_ended()  # asked before reading, so that the last lines are not missed
        return self._reader.poll(is_over=self._is_over)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()
