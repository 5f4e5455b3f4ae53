"""`dbtui resume`: go on with a run that was stopped or paused."""

from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from dbtui.cli.stoppable import stoppable
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.run.directory import RunDirectory

_PATIENCE = 30.0


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of the stopped or paused run.")],
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    detach: Annotated[bool, typer.Option("--detach", help="Start the training and leave at once.")] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Also from a machine that is gone for good and still holds the run."),
    ] = False,
) -> int:
    """Go on with a stopped run from its newest checkpoint, exactly where it was, or with a paused one."""
    from dbtui.cli.run import start
    from dbtui.runs.find import choose_run
    from dbtui.runs.summary import summarize
    from trainer_core.config.reader import read_config
    from trainer_core.plan import make_plan

    chosen = choose_run(runs_dir, run)
    status = summarize(chosen).status
    if status == "paused" and not take_over:
        return _unpause(chosen, detach)
    if status == "done":
        text = f"{chosen.name} is done: see {safe_text(chosen.output)}. Start a new run to train more."
        raise UserError(text, ExitCode.RESUME)
    _refuse_held(chosen, take_over)
    # Said here as well as by the trainer: on a full disk, that could not write why it ended.
    with stoppable():
        plan = make_plan(read_config(chosen.run_toml), chosen.path.parent, run_dir=chosen.path)
        plan.raise_for_problems()
    return start(chosen, detach=detach, take_over=take_over)


def _unpause(run: "RunDirectory", detach: bool) -> int:
    """Let a paused trainer go on, and watch it."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.ask import ask

    answer = ask(run, "unpause", _PATIENCE)
    narrate(f"{run.name}: {answer.text}")
    if answer.outcome != "yes":
        return int(ExitCode.FAILED)
    if detach:
        return int(ExitCode.DONE)
    with Interrupts() as interrupts:
        return int(watch_attached(run, interrupts))


def _refuse_held(run: "RunDirectory", take_over: bool) -> None:
    """Raise UserError(LOCKED) if another trainer has the run, unless that is elsewhere and to be taken over."""
    from trainer_core.run.flock import Standing
    from trainer_core.run.lock import locked_words, look_at_lock

    look = look_at_lock(run)
    if look.standing is Standing.FREE or (take_over and look.standing is not Standing.HERE):
        return
    raise UserError(locked_words(run, look), ExitCode.LOCKED)
