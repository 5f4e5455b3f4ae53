"""What is to be known before a stopped run is resumed: what refuses it, and what is not what it was."""

from collections.abc import Callable
from shlex import quote

from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.wishes import Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text


def look_before_resume(run: RunDirectory, wishes: Wishes, tell: Callable[[str], None]) -> None:
    """Check everything, and tell what has changed since, a line each.

    The trainer does so too; but on a full disk it could not write why it ended, and a person wants to know now.

    Raises:
        UserError: what decides what is learned has changed (code RESUME), or it could not be trained as things
            are.
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
        tell("there is no state to go on from: it begins anew")
        return
    what = "with these changes" if since.differences else "exactly where it was"
    tell(f"goes on after step {since.step}, {what}")
    for difference in since.differences:
        tell(f"  {difference.line()}")
    if not wishes.allow_changed:
        refuse_unsafe(since.differences, safe_text(since.checkpoint), quote(safe_text(run.path)))


def refuse_resume(run: RunDirectory, wishes: Wishes, *, take_over: bool = False) -> None:
    """Raise UserError if the run cannot be resumed, whatever its files say: it is done, or somebody has it.

    With `take_over` a lock that is held on a machine that cannot be asked does not count.
    """
    from trainer_core.resume.finished import refuse_finished

    _refuse_held(run, take_over)
    refuse_finished(run, wishes)


def _refuse_held(run: RunDirectory, take_over: bool) -> None:
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
