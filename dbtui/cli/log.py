"""`dbtui log`: what happened in a run, and what its trainer printed."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate

if TYPE_CHECKING:
    from trainer_core.run.directory import RunDirectory

_LOOK_EVERY = 0.3


def log(
    run: options.Run = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as the log grows, until the run ends.")
    ] = False,
    last: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, metavar="N", help="Begin with the last N lines.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events as they are, one line of JSON each.")
    ] = False,
) -> int:
    """Print what happened in a run: its events in plain lines, and what else its trainer printed."""
    from dbtui.runs.find import choose_run

    chosen = choose_run(runs_dir, run)
    read = _events_of(chosen) if as_json else _lines_of(chosen)
    try:
        _print(chosen, read, follow, last)
    except KeyboardInterrupt:
        pass  # the way out of -f
    except BrokenPipeError:  # `| head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _print(run: "RunDirectory", read: Callable[[bool], list[str]], follow: bool, last: int | None) -> None:
    from dbtui.runs.follow import Follower

    follower = Follower(run)
    follower.poll()
    is_over = not follow or follower.has_ended()  # asked before reading, so that the last lines are not missed
    first = read(is_over)
    if not first and is_over and not follower.state.t:
        narrate(f"{run.name} has not been started")
    _write(first if last is None else deque(first, last))
    while not is_over:
        time.sleep(_LOOK_EVERY)
        follower.poll()
        is_over = follower.has_ended()
        _write(read(is_over))


def _write(lines: "list[str] | deque[str]") -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _lines_of(run: "RunDirectory") -> Callable[[bool], list[str]]:
    from dbtui.runs.log import LogReader

    reader = LogReader(run)
    return lambda is_over: reader.poll(is_over=is_over)


def _events_of(run: "RunDirectory") -> Callable[[bool], list[str]]:
    from trainer_core.run.events import EventReader

    reader = EventReader(run.events)
    return lambda _is_over: [json.dumps(event, separators=(",", ":")) for event in reader.poll()]
