"""`dbtui resume`: go on with a run that was stopped or paused."""

from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from dbtui.cli.stoppable import stoppable
from trainer_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from trainer_core.run.directory import RunDirectory

_PATIENCE = 30.0


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of the stopped or paused run.")],
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    overrides: options.Overrides = None,
    gpus: options.Gpus = None,
    nodes: options.Nodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    allow_changed: Annotated[
        bool,
        typer.Option(
            "--allow-changed", help="Also where pictures, or settings that decide what is learned, are others now."
        ),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start the training and leave at once.")] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Also from a machine that is gone for good and still holds the run."),
    ] = False,
) -> int:
    """Go on with a stopped run from its newest checkpoint, exactly where it was, or with a paused one.

    What has changed since is shown first. Steps, saving, previews and logs may change; the rest is refused without
    --allow-changed.
    """
    from dbtui.cli.run import start
    from dbtui.runs.absolute import with_absolute_paths
    from dbtui.runs.find import choose_run
    from dbtui.runs.resume import look_before_resume, refuse_resume
    from dbtui.runs.summary import summarize
    from trainer_core.ranks.several import refuse_unsuitable, several_of
    from trainer_core.resume.wishes import Wishes

    several = several_of(gpus, nodes, node_rank, rendezvous)
    chosen = choose_run(runs_dir, run)
    wishes = Wishes(tuple(overrides or ()), allow_changed)
    if several:
        refuse_unsuitable(wishes.configuration(chosen), several)
    if several and several.node_rank:
        from dbtui.runs.node import work_as_node

        work_as_node(chosen, several, Wishes(with_absolute_paths(wishes.overrides), allow_changed))
    if summarize(chosen).status == "paused" and not take_over:
        return _unpause(chosen, detach, changes=bool(several or wishes.overrides or allow_changed))
    refuse_resume(chosen, wishes, take_over=take_over)
    with stoppable():
        look_before_resume(chosen, wishes, narrate)
    wishes = Wishes(with_absolute_paths(wishes.overrides), allow_changed)
    return start(chosen, detach=detach, take_over=take_over, wishes=wishes, several=several)


def _unpause(run: "RunDirectory", detach: bool, *, changes: bool) -> int:
    """Let a paused trainer go on, and watch it."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.ask import ask

    if changes:
        text = f"{run.name} is paused and goes on as it is: `dbtui stop {run.name}` first, then resume it changed"
        raise UserError(text, ExitCode.RESUME)
    answer = ask(run, "unpause", _PATIENCE)
    narrate(f"{run.name}: {answer.text}")
    if answer.outcome != "yes":
        return int(ExitCode.FAILED)
    if detach:
        return int(ExitCode.DONE)
    with Interrupts() as interrupts:
        return int(watch_attached(run, interrupts))
