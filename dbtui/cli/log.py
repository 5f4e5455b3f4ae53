"""`dbtui log`: what the trainer said."""

import sys
from typing import Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from trainer_core.text import safe_text


def log(
    run: options.Run = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as the log grows, until the run ends.")
    ] = False,
) -> int:
    """Print what the trainer said on its console."""
    from dbtui.runs.find import choose_run
    from dbtui.runs.log import read_log

    chosen = choose_run(runs_dir, run)
    if not chosen.console_log.is_file():
        narrate(f"{chosen.name} has no console.log: its trainer was not started by dbtui, or not yet")
    try:
        for line in read_log(chosen, follow):
            sys.stdout.write(safe_text(line, 4000) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 0  # the way out of -f
    return 0
