"""The trainer's stdout and stderr: no failure of theirs ends a training, and no secret gets into them.

console.log may lie on a full disk, and a traceback may quote anything.
"""

import io
import os
import sys
from typing import Any

from trainer_core.run.redact import redact


class _SturdyFile(io.FileIO):
    """An open descriptor whose writes never raise; what cannot be written is lost."""

    def write(self, data: Any) -> int:
        """Write what can be written, and claim that everything was."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_what_is_closed() -> None:
    """Put /dev/null where stdin, stdout or stderr are closed: the next file opened would take their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - open as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


class _DiscreetText(io.TextIOWrapper):
    """Text without secrets."""

    def write(self, text: str) -> int:
        """Write `text`, what is secret in it hidden."""
        super().write(redact(text))
        return len(text)


def make_sturdy() -> None:
    """Replace stdout and stderr by streams that never raise and hide secrets; what is another already stays."""
    open_what_is_closed()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            file = _SturdyFile(stream.fileno(), "w", closefd=False)
            sturdy = _DiscreetText(file, stream.encoding, "backslashreplace", write_through=True)
            setattr(sys, name, sturdy)
