"""How a trainer is asked to stop from outside: the first signal asks, the second does not ask."""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from trainer_core.errors import ExitCode

ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that ask for a stop."""
INSISTING = (signal.SIGTERM, signal.SIGINT)
"""Those of them that end the process at once where another came before."""
PATIENCE = 10.0
"""Seconds after which interrupted work that still has not let go is left as it is."""


class StopRequestedError(BaseException):
    """A stop was asked for, and what was under way is worth nothing unfinished.

    It is no Exception, so that nothing in between takes it for a failure of its own.
    """


class _ClosedError(Exception):
    """Nobody listens to signals any more."""


def never() -> bool:
    """Tell that nobody asks for a stop."""
    return False


class StopSignals:
    """SIGTERM, SIGINT, SIGHUP and SIGUSR1 of this process. Create it in the main thread.

    The first signal only sets `stop_requested` to its name: the training ends its step, saves, and exits with
    75. A second SIGTERM or SIGINT exits with 75 at once, also while the main thread computes or writes; what is
    being written is staged, so nothing half appears. SIGHUP and SIGUSR1 are never the second: a lost connection
    brings several hangups, and SIGUSR1 is what a scheduler, or `dbtui run`, says beside another signal.

    Python's own handlers wait until the main thread is back from native code, which may take longer than the
    grace lasts. So a thread counts the signals.
    """

    def __init__(self) -> None:
        self.stop_requested: str | None = None
        self._asked = threading.Event()
        self._interrupts = False
        self._interrupted = False
        self._leaving_with = int(ExitCode.STOPPED)
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._before: dict[signal.Signals, Any] = {}
        for number in ASKING:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        threading.Thread(target=self._count, name="signals", daemon=True).start()

    def close(self) -> None:
        """Put back what was there before."""
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._writing)

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond the first signal; tell whether one has come."""
        return self._asked.wait(seconds)

    def concluded(self, exit_code: int) -> None:
        """Say that everything is saved: whoever insists now ends only what follows, and not the exit code."""
        self._interrupted, self._leaving_with = False, exit_code

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """While it lasts, the first signal raises StopRequestedError in the main thread, wherever that is.

        For work of which nothing needs to be kept. If the main thread does not let go of it in `PATIENCE`
        seconds (a file system that hangs, say), the process exits with 75 all the same.
        """
        self._interrupts = True
        try:
            if self.stop_requested:
                self._interrupt()
            yield
        finally:
            self._interrupts = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Note it; no lock is taken, since the main thread may be holding it."""
        self.stop_requested = self.stop_requested or signal.Signals(number).name
        if self._interrupts and not self._interrupted:
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self._interrupted = True
        raise StopRequestedError

    def _count(self) -> None:
        with suppress(_ClosedError):
            self._listen()

    def _listen(self) -> None:
        """Count the signals, whatever the main thread is doing."""
        while (first := self._next(None)) is None or first not in ASKING:
            pass
        self.stop_requested = self.stop_requested or signal.Signals(first).name
        self._asked.set()
        while (number := self._next(PATIENCE)) is not None:
            if number in INSISTING:
                os._exit(self._leaving_with)
        if self._interrupts or self._interrupted:
            os._exit(self._leaving_with)
        while self._next(None) not in INSISTING:
            pass
        os._exit(self._leaving_with)

    def _next(self, timeout: float | None) -> int | None:
        """Return the number of the next signal; None if none comes in `timeout` seconds."""
        if not select.select([self._reading], [], [], timeout)[0]:
            return None
        if not (number := os.read(self._reading, 1)):
            os.close(self._reading)
            raise _ClosedError
        return number[0]
