"""Signals that end the application, and a last resort where it cannot end by itself."""

import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
_GRACE = 5.0
"""Seconds in which the application ends by itself: it may be finishing a file, or waiting for a dead disk."""
_PUT_BACK = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # the mouse
    b"\x1b[?2004l\x1b[?1004l\x1b[?2048l\x1b[?7h"  # pasting, focus, sizes; lines wrap again
    b"\x1b[<u\x1b[?1049l\x1b[?25h"  # the keyboard, the other screen, the cursor
)


class Leaving:
    """While it is entered, SIGHUP, SIGTERM and SIGINT call `leave`; where that is of no use, the process ends.

    The terminal gets back the modes that it had when this was entered.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._former: dict[int, Any] = {}
        self._modes: list[Any] | None = None
        self._is_over = threading.Event()

    def __enter__(self) -> "Leaving":
        with suppress(termios.error, OSError, ValueError):
            self._modes = termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]
        for number in _SIGNALS:
            self._former[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def wait_for(self, threads: str, code: int) -> None:
        """Let the threads of that name finish what they do; one that hangs must keep nobody from their shell."""
        deadline = time.monotonic() + _GRACE
        for thread in [each for each in threading.enumerate() if each.name.startswith(threads)]:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                os._exit(code)  # as it is: the interpreter would wait for it

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        threading.Thread(target=self._last_resort, name="last-resort", daemon=True).start()
        self._leave()

    def _last_resort(self) -> None:
        if self._is_over.wait(_GRACE):
            return
        self._put_back()
        os._exit(0)

    def _put_back(self) -> None:
        """Undo by hand what the application did to the terminal, which may take no output any more."""
        with suppress(termios.error, OSError, ValueError):
            if self._modes is not None:
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, self._modes)  # type: ignore[union-attr]
        writer = threading.Thread(target=_write_put_back, daemon=True)
        writer.start()
        writer.join(0.5)


def _write_put_back() -> None:
    with suppress(OSError):
        os.write(2, _PUT_BACK)
