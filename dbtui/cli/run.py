"""`dbtui run`: check everything, start the training detached, and watch it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from dbtui.cli.stoppable import stoppable
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.launch import TrainerProcess
    from trainer_core.plan import Plan
    from trainer_core.ranks.several import Several
    from trainer_core.resume.wishes import Wishes
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
    gpus: options.Gpus = None,
    nodes: options.Nodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start the training and leave at once.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the complete run file, and start nothing.")
    ] = False,
) -> int:
    """Train. On a terminal a dashboard shows the run: Ctrl-C stops it and saves, `d` leaves it running."""
    from dbtui.runs.prepare import configure, make_run
    from trainer_core.config.writer import dump_config
    from trainer_core.plan import make_plan
    from trainer_core.ranks.several import ONE, refuse_unsuitable, several_of
    from trainer_core.run.names import check_run_name

    several = several_of(gpus, nodes, node_rank, rendezvous)
    if name is not None:
        check_run_name(name)
    if several and several.nodes > 1:
        _refuse_without_name(name)
    if several and several.node_rank and name and not dry_run:
        from dbtui.runs.node import wait_for_run, work_as_node

        with stoppable():
            made = wait_for_run(runs_dir, name)
        work_as_node(made, several)
    with stoppable():
        config = configure(
            file,
            overrides=overrides or (),
            model=model,
            data=data,
            reg=reg,
            identifier=identifier,
            class_=class_,
            concepts=concepts,
            runs_dir=runs_dir,
            tell=narrate,
        )
        refuse_unsuitable(config, several or ONE)
        plan = make_plan(config, runs_dir)
        plan.raise_for_problems()
        _tell_plan(plan, notes=detach or dry_run)
        if dry_run:
            sys.stdout.write(dump_config(config))
            return 0
        created = make_run(config, plan, runs_dir, name)
    return start(created, detach=detach, several=several)


def start(
    run: "RunDirectory",
    *,
    detach: bool,
    take_over: bool = False,
    wishes: "Wishes | None" = None,
    several: "Several | None" = None,
) -> int:
    """Start the trainer of a run, and watch it or leave; return the exit code."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_started
    from dbtui.runs.launch import launch
    from dbtui.runs.main_process import is_main_process
    from trainer_core.resume.wishes import NO_WISHES

    with Interrupts() as interrupts:
        process = launch(run, take_over=take_over, wishes=wishes or NO_WISHES, several=several)
        if detach and is_main_process():
            narrate("--detach: this is the container's main process, so it stays until the training ends")
        elif detach:
            process.wait_until_alive()
            return _leave(process)
        return int(watch_started(process, interrupts))


def _refuse_without_name(name: str | None) -> None:
    if name is None:
        text = "--nodes needs --name: the name of the run, the same on every machine, by which they find it"
        raise UserError(text, ExitCode.CONFIG)


def _leave(process: "TrainerProcess") -> int:
    """Say where the training is that goes on alone."""
    from dbtui.dashboard.screen import SturdyOutput
    from dbtui.runs.follow import attach_command
    from dbtui.runs.logout import logout_warning

    output = SturdyOutput(sys.stdout)
    output.write(f"{safe_text(process.run.path, 2000)}\n")
    output.flush()
    command = attach_command(process.run)
    narrate(f"training in the background (process {process.pid}); watch it with: {command}")
    if warning := logout_warning():
        narrate(f"warning: {warning}")
    return 0


def _tell_plan(plan: "Plan", *, notes: bool) -> None:
    """Say how the steps come about; remarks only where nobody watches the trainer, which says them too."""
    narrate(safe_text(plan.formula))
    for note in plan.notes if notes else ():
        narrate(f"note: {safe_text(note)}")
