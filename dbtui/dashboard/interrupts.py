"""Signals to a viewer, counted, so that its loop can act on them between two pictures."""

import os
import select
import signal
from collections import Counter
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Interrupts:
    """While entered, SIGINT, SIGTERM, SIGHUP and SIGUSR1 are counted instead of ending the process.

    A signal that was ignored already (SIGHUP under nohup) stays ignored.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._before: dict[signal.Signals, Any] = {}
        self._reading, self._writing = -1, -1

    def take(self) -> list[signal.Signals]:
        """Return the signals that came since the last call, each as often as it came."""
        return [number for number in _WATCHED for _ in range(self._counts.pop(number, 0))]

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond a signal."""
        if self._counts:
            return
        if select.select([self._reading], [], [], seconds)[0]:
            os.read(self._reading, 64)

    def __enter__(self) -> "Interrupts":
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in _WATCHED:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._writing)
        os.close(self._reading)

    def _count(self, number: int, _frame: FrameType | None) -> None:
        self._counts[number] += 1
        with suppress(BlockingIOError):
            os.write(self._writing, b"!")
