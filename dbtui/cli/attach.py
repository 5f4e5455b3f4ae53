"""`dbtui attach`: watch a run, live or past, here or on another machine."""

from typing import Annotated

import typer

from dbtui.cli import options

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="Name or path of the run, or user@host:path; the newest live one if not given.",
    ),
]


def attach(run: Run = None, runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR) -> int:
    """Watch a run, live or past. Ctrl-C or `d` leaves; the training goes on."""
    from dbtui.remote.target import is_remote, parse_target

    if run is not None and is_remote(run):
        from dbtui.cli.output import narrate
        from dbtui.remote.attach import attach_to

        return int(attach_to(parse_target(run), narrate))

    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.find import choose_run

    with Interrupts() as interrupts:
        return int(watch_attached(choose_run(runs_dir, run), interrupts))
