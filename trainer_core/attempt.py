"""One attempt at a run: the lock, the signals and the event log stand before anything heavy is imported.

torch and diffusers take seconds to import. A viewer that looks meanwhile must find the run alive, and a signal
must not be lost.
"""

from trainer_core.errors import ExitCode
from trainer_core.hooks.follow_up import followed_up
from trainer_core.narrate import NarratedEvents
from trainer_core.resume.finished import refuse_finished
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.run.fence import fenced
from trainer_core.run.lock import acquire
from trainer_core.run.stop_signals import StopRequestedError, StopSignals


def attempt(
    run: RunDirectory, signals: StopSignals | None = None, *, take_over: bool = False, wishes: Wishes = NO_WISHES
) -> ExitCode:
    """Train `run`, or go on with it, and return how that ended.

    `signals` are those of the process, where somebody listens to them already. `take_over` takes the run also from
    a trainer on a machine that cannot be asked; `wishes` are what the command line says of the run.

    Raises:
        UserError: another process trains it (code LOCKED), or it is done (code RESUME); nothing is written then.
    """
    if signals is None:
        signals = StopSignals()
        try:
            return attempt(run, signals, take_over=take_over, wishes=wishes)
        finally:
            signals.close()
    lock = acquire(run, take_over=take_over)
    try:
        refuse_finished(run, wishes)
        events = NarratedEvents(run)
        events.emit("phase", name="load", total=None)
        try:
            with fenced(lock), followed_up(run, events, signals.concluded):
                return _train(run, events, signals, wishes)
        finally:
            events.close()
    finally:
        lock.release()


def _train(run: RunDirectory, events: NarratedEvents, signals: StopSignals, wishes: Wishes) -> ExitCode:
    try:
        with signals.interrupting():
            from trainer_core.models.lean import lean_imports

            lean_imports()
            from trainer_core.train.run import train_run
    except (StopRequestedError, Exception) as error:  # a broken native library raises whatever it likes
        if signals.stop_requested:
            return _stopped(events, signals)
        text = f"a library could not be loaded ({type(error).__name__}: {error}); `dbtui doctor` says which"
        events.emit("failed", exit_code=int(ExitCode.FAILED), text=text, step=None, outputs=[])
        raise
    return train_run(run, events, signals, wishes)


def _stopped(events: NarratedEvents, signals: StopSignals) -> ExitCode:
    text = f"stopped while loading (asked by {signals.stop_requested}); it can be started again"
    events.emit("failed", exit_code=int(ExitCode.STOPPED), text=text, step=None, outputs=[])
    return ExitCode.STOPPED
