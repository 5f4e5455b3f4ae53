"""A command that is told to stop while it still prepares a training."""

from collections.abc import Iterator
from contextlib import contextmanager

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.stop_signals import StopRequestedError, StopSignals


@contextmanager
def stoppable() -> Iterator[None]:
    """While it lasts, SIGTERM, SIGINT, SIGHUP and SIGUSR1 raise UserError(STOPPED); nothing has begun yet."""
    signals = StopSignals()
    try:
        with signals.interrupting():
            yield
    except StopRequestedError as error:
        text = f"stopped by {signals.stop_requested} before the training began; the same command starts it again"
        raise UserError(text, ExitCode.STOPPED) from error
    finally:
        signals.close()
