"""Single keys from the terminal, without waiting for Enter, and the terminal put back afterwards."""

import os
import select
import sys
import termios
import time
import tty
from contextlib import suppress
from types import TracebackType
from typing import Any

from dbtui.dashboard.escapes import EscapeFilter

_SUSPEND = 6
"""Place of termios' list that holds the control characters."""
_SEQUENCE_IN = 2.0
"""Seconds within which the pieces of an escape sequence follow one another, on a slow line too."""


class Keys:
    """While entered, keys come one by one and are not shown. Without a terminal on stdin there are none."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._before: list[Any] = []
        self._escapes = EscapeFilter()
        self._last_typed = 0.0

    def __enter__(self) -> "Keys":
        with suppress(OSError, ValueError, termios.error):
            descriptor = sys.stdin.fileno()
            if os.isatty(descriptor):
                self._before = termios.tcgetattr(descriptor)
                self._descriptor = descriptor
                tty.setcbreak(descriptor)
                mode = termios.tcgetattr(descriptor)
                mode[_SUSPEND][termios.VSUSP] = b"\0"  # suspended, the full screen would stay on the terminal
                termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            with suppress(OSError, termios.error):
                termios.tcflush(self._descriptor, termios.TCIFLUSH)
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)

    def wait(self, timeout: float) -> str:
        """Return what is typed within `timeout` seconds, at once when it comes; escape sequences are dropped."""
        if self._descriptor < 0:
            time.sleep(timeout)
            return ""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], timeout)
            typed = os.read(self._descriptor, 256) if ready else b""
        except OSError:
            time.sleep(timeout)
            return ""
        if ready and not typed:  # the terminal is gone; its signal will come
            time.sleep(timeout)
        if not typed:
            return ""
        if time.monotonic() - self._last_typed > _SEQUENCE_IN:
            self._escapes.rest()
        self._last_typed = time.monotonic()
        return self._escapes.feed(typed.decode(errors="ignore"))
