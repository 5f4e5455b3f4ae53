"""What home tells of the run under the cursor: beside the list on wide screens, with its last preview."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from dbtui.wizard.in_thread import in_thread
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.summary import RunSummary

_LONG = 200
_AFTER = 0.2
"""Seconds that the cursor rests on a run before its files are read."""


class RunDetail(Vertical):
    """Shows a few lines and the last preview of one run."""

    def __init__(self) -> None:
        super().__init__(id="detail")
        self._summary: RunSummary | None = None
        self._picture: Path | None = None

    def compose(self) -> ComposeResult:
        """Yield the lines; the picture comes when there is one."""
        yield Static(id="told", markup=False)

    def show(self, summary: "RunSummary | None") -> None:
        """Show another run, or what is new of this one."""
        is_other = summary is None or self._summary is None or summary.run != self._summary.run
        self._summary = summary
        self.set_class(summary is None, "-none")
        if is_other:
            self.query_one("#told", Static).update("")
            self._show_picture(None)
        if summary is not None:
            self._read(summary, _AFTER if is_other else 0.0)

    @work(exclusive=True, group="detail", exit_on_error=False)
    async def _read(self, summary: "RunSummary", after: float) -> None:
        from asyncio import sleep

        await sleep(after)
        is_high = self.screen.has_class("-wide")  # lines that are too long have room to wrap
        try:
            lines, picture = await in_thread(
                _lines_and_picture, summary, _LONG if is_high else self.size.width - 4
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            lines, picture = [Text(f"! it cannot be read: {safe_text(error, 200)}")], None
        self.query_one("#told", Static).update(Text("\n").join(lines))
        self._show_picture(picture)

    def _show_picture(self, path: Path | None) -> None:
        """Show the last preview where there is room for one: the style sheet hides it elsewhere."""
        if path == self._picture:
            return
        self._picture = path
        from dbtui.wizard.widgets.thumbnail import Thumbnail

        found = self.query(Thumbnail)
        if path and not found:
            self.mount(Thumbnail(path, id="preview"), before=0)
        for each in found:
            each.set_class(path is None, "-none")
            each.show(path)


def _lines_and_picture(summary: "RunSummary", width: int) -> tuple[list[Text], Path | None]:
    from dbtui.dashboard.facts import read_facts
    from dbtui.wizard.home.rows import detail_of, preview_path

    previews = summary.state.previews
    picture = preview_path(summary.run, previews[-1]) if previews else None
    lines = detail_of(summary, read_facts(summary.run), time.time(), width)
    return lines, picture if picture and picture.is_file() else None
