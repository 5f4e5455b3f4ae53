"""`dbtui run`: check everything, start the training detached, and watch it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.plan import Plan
    from trainer_core.run.directory import RunDirectory


def run(
    file: options.File,
    model: options.Model = None,
    data: options.Data = None,
    reg: options.Reg = None,
    identifier: options.Identifier = None,
    class_: options.Class = None,
    concepts: options.Concepts = None,
    name: options.Name = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    overrides: options.Overrides = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start the training and leave at once.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the complete run file, and start nothing.")
    ] = False,
) -> int:
    """Train. On a terminal a dashboard shows the run: Ctrl-C stops it and saves, `d` leaves it running."""
    from dbtui.runs.prepare import configure, make_run
    from trainer_core.config.writer import dump_config
    from trainer_core.plan import make_plan
    from trainer_core.run.names import check_run_name

    if name is not None:
        check_run_name(name)
    config = configure(
        file,
        overrides=overrides or (),
        model=model,
        data=data,
        reg=reg,
        identifier=identifier,
        class_=class_,
        concepts=concepts,
        tell=narrate,
    )
    plan = make_plan(config, runs_dir)
    plan.raise_for_problems()
    _tell_plan(plan)
    if dry_run:
        sys.stdout.write(dump_config(config))
        return 0
    return start(make_run(config, plan, runs_dir, name), detach=detach)


def start(run: "RunDirectory", *, detach: bool, take_over: bool = False) -> int:
    """Start the trainer of a run, and watch it or leave; return the exit code."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import attach_command, watch_started
    from dbtui.runs.launch import launch

    with Interrupts() as interrupts:
        process = launch(run, take_over=take_over)
        if not detach:
            return int(watch_started(process, interrupts))
        process.wait_until_alive()
    sys.stdout.write(f"{safe_text(run.path, 2000)}\n")
    narrate(f"training in the background (process {process.pid}); watch it with: {attach_command(run)}")
    return 0


def _tell_plan(plan: "Plan") -> None:
    narrate(safe_text(plan.formula))
    for note in plan.notes:
        narrate(f"note: {safe_text(note)}")
