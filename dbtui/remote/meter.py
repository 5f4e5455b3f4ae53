"""How far a fetch is, in bytes: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from dbtui.dashboard.state import size_text

_TELL_EVERY = 10.0


class PlainMeter:
    """Tells in plain lines, at most one each ten seconds."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._doing, self._done, self._total = "", 0, 0
        self._told = time.monotonic()

    def begin(self, doing: str, total: int) -> None:
        """Begin to count `total` bytes from 0."""
        self._doing, self._done, self._total = doing, 0, total

    def rest(self) -> None:
        """Nothing is shown between two lines anyway."""

    def add(self, count: int) -> None:
        """Count bytes."""
        self._done += count
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            self._tell(f"{self._doing}: {size_text(self._done)} of {size_text(self._total)}")


class BarMeter:
    """Moves a bar."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("connecting", total=None)

    def begin(self, doing: str, total: int) -> None:
        """Begin to count `total` bytes from 0."""
        if not self._bar.live.is_started:  # not before: ssh may ask for a password until then
            self._bar.start()
        self._bar.reset(self._task, description=doing, total=total)

    def rest(self) -> None:
        """Take the bar away for a while."""
        self._bar.stop()

    def add(self, count: int) -> None:
        """Count bytes."""
        self._bar.update(self._task, advance=count)


@contextmanager
def bar_meter() -> Iterator[BarMeter]:
    """Yield a bar on stderr that leaves no trace. It begins with the first bytes."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    try:
        yield BarMeter(bar)
    finally:
        bar.stop()
