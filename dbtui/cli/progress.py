"""A progress bar for the pictures that are looked at."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ProgressCall = Callable[[int, int], None]


@contextmanager
def picture_progress(doing: str = "looking at pictures") -> Iterator[ProgressCall | None]:
    """Yield what takes pictures done and in all and draws a bar on stderr, None where that is no terminal.

    The bar leaves no trace.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)
