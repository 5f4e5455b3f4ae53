"""`dbtui resume`: go on with a run that was stopped or paused."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from dbtui.cli.stoppable import stoppable
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.resume.wishes import Wishes
    from trainer_core.run.directory import RunDirectory

_PATIENCE = 30.0


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of the stopped or paused run.")],
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    overrides: options.Overrides = None,
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
    from dbtui.runs.summary import summarize
    from trainer_core.resume.finished import refuse_finished
    from trainer_core.resume.wishes import Wishes

    chosen = choose_run(runs_dir, run)
    wishes = Wishes(tuple(overrides or ()), allow_changed)
    if summarize(chosen).status == "paused" and not take_over:
        return _unpause(chosen, wishes, detach)
    _refuse_held(chosen, take_over)
    refuse_finished(chosen, wishes)
    with stoppable():
        _look(chosen, wishes)
    wishes = Wishes(with_absolute_paths(wishes.overrides), allow_changed)
    return start(chosen, detach=detach, take_over=take_over, wishes=wishes)


def _look(run: "RunDirectory", wishes: "Wishes") -> None:
    """Check everything, and tell what is not what it was.

    The trainer does so too; but on a full disk it could not write why it ended, and a person wants to know now.
    """
    from trainer_core.plan import make_plan
    from trainer_core.resume.differences import refuse_unsafe
    from trainer_core.resume.since import changes_of

    config = wishes.configuration(run)
    is_deep = config.dataset.on_bad_image == "skip"  # what is skipped decides which pictures there are
    plan = make_plan(config, run.path.parent, run_dir=run.path, deep=is_deep)
    plan.raise_for_problems()
    since = changes_of(run, config, plan)
    if since is None:
        narrate("there is no state to go on from: it begins anew")
        return
    what = "with these changes" if since.differences else "exactly where it was"
    narrate(f"goes on after step {since.step}, {what}")
    for difference in since.differences:
        narrate(f"  {difference.line()}")
    if not wishes.allow_changed:
        refuse_unsafe(since.differences, safe_text(since.checkpoint), quote(safe_text(run.path)))


def _unpause(run: "RunDirectory", wishes: "Wishes", detach: bool) -> int:
    """Let a paused trainer go on, and watch it."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.ask import ask

    if wishes.overrides or wishes.allow_changed:
        text = (
            f"{run.name} is paused and goes on as it is: `dbtui stop {run.name}` first, then change its settings"
        )
        raise UserError(text, ExitCode.RESUME)
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
    from dbtui.dashboard.status import LIVE
    from dbtui.remote.origin import is_live_copy, read_origin
    from trainer_core.run.flock import Standing
    from trainer_core.run.lock import locked_words, look_at_lock

    look = look_at_lock(run)
    if not take_over and (origin := read_origin(run)) and is_live_copy(run, LIVE):
        text = (
            f"{run.name} is a copy of a run that {safe_text(origin.place)} was still training: stop it there, "
            "then fetch it again with --checkpoints. If that machine is gone for good, go on with: "
            f"dbtui resume {quote(safe_text(run.path))} --take-over"
        )
        raise UserError(text, ExitCode.LOCKED)
    if look.standing is Standing.FREE or (take_over and look.standing is not Standing.HERE):
        return
    raise UserError(locked_words(run, look), ExitCode.LOCKED)
