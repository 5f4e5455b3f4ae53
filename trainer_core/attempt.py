"""One attempt at a run: the lock, the signals and the event log stand before anything heavy is imported.

torch and diffusers take seconds to import. A viewer that looks meanwhile must find the run alive, and a signal
must not be lost.
"""

from trainer_core.errors import ExitCode, UserError
from trainer_core.narrate import NarratedEvents
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lock import acquire
from trainer_core.run.stop_signals import StopSignals
from trainer_core.text import safe_text


def attempt(run: RunDirectory) -> ExitCode:
    """Train `run`, or go on with it, and return how that ended.

    Raises:
        UserError: another process trains it (code LOCKED), or it is done (code RESUME); nothing is written then.
    """
    lock = acquire(run)
    try:
        _refuse_finished(run)
        signals = StopSignals()
        events = NarratedEvents(run)
        events.emit("phase", name="load", total=None)
        try:
            return _train(run, events, signals)
        finally:
            events.close()
    finally:
        lock.release()


def _train(run: RunDirectory, events: NarratedEvents, signals: StopSignals) -> ExitCode:
    try:
        from trainer_core.train.run import train_run
    except Exception as error:  # a broken native library raises whatever it likes
        text = f"a library could not be loaded ({type(error).__name__}: {error}); `dbtui doctor` says which"
        events.emit("failed", exit_code=int(ExitCode.FAILED), text=text, step=None, outputs=[])
        raise
    return train_run(run, events, signals)


def _refuse_finished(run: RunDirectory) -> None:
    if any(event.get("kind") == "finished" for event in EventReader(run.events).poll()):
        raise UserError(
            f"{run.name} is done already: see {safe_text(run.output)}. Start a new run to train more.",
            ExitCode.RESUME,
        )
