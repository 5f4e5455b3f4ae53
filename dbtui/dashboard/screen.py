"""The terminal that the dashboard draws on: may it, and what if it goes away in the middle."""

import io
import os
import sys
from contextlib import suppress
from typing import IO, TextIO, cast

from rich.console import Console


def can_draw() -> bool:
    """Tell whether stdout is a terminal that shows a full screen, and whether it is ours to draw on.

    A job in the background, TERM=dumb and an unknown terminal get plain lines.
    """
    try:
        descriptor = sys.stdout.fileno()
        if not os.isatty(descriptor) or _is_dumb():
            return False
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError):
        return False


class SturdyOutput(io.TextIOBase):
    """Passes text on until the terminal is gone; then swallows it, so that nobody who draws has to care."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_gone = False

    def write(self, text: str) -> int:
        """Write text; characters that the terminal's encoding lacks become question marks."""
        if not self.is_gone:
            try:
                self._stream.write(_encodable(text, self._stream.encoding))
            except (OSError, ValueError):
                self.abandon()
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        if not self.is_gone:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self.abandon()

    def abandon(self) -> None:
        """Write nothing any more, not even what is still in the stream's buffer."""
        self.is_gone = True
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return not self.is_gone and self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream."""
        return self._stream.encoding


def make_console(output: SturdyOutput) -> Console:
    """Return a console on `output` that reads no markup, no emoji codes and highlights nothing."""
    stream = cast(IO[str], output)
    return Console(
        file=stream, markup=False, emoji=False, highlight=False, force_terminal=False if _is_dumb() else None
    )


def _is_dumb() -> bool:
    return os.environ.get("TERM", "") in {"", "dumb", "unknown"}


def _encodable(text: str, encoding: str | None) -> str:
    name = encoding or "utf-8"
    return text.encode(name, errors="replace").decode(name)
