"""How a trainer is asked to stop from outside: the first signal asks, the second does not ask."""

import os
import signal
from types import FrameType

from trainer_core.errors import ExitCode

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """SIGTERM, SIGINT and SIGHUP of this process. Create it in the main thread, then look at `stop_requested`.

    The first signal only sets `stop_requested` to its name: the training ends its step, saves, and exits with
    75. A second SIGTERM or SIGINT exits with 75 at once; what is being written is staged, so nothing half
    appears. A SIGHUP is never the second: a lost connection may bring several.
    """

    def __init__(self) -> None:
        self.stop_requested: str | None = None
        for number in _STOPPING:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.stop_requested is None:
            self.stop_requested = signal.Signals(number).name
        elif number != signal.SIGHUP:
            os._exit(ExitCode.STOPPED)
