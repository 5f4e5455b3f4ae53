"""The trainer's stdout and stderr, of which no failure ends a training: its console.log may lie on a full disk."""

import io
import sys
from typing import Any


class _SturdyFile(io.FileIO):
    """An open descriptor whose writes never raise; what cannot be written is lost."""

    def write(self, data: Any) -> int:
        """Write what can be written, and claim that everything was."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def make_sturdy() -> None:
    """Replace stdout and stderr by streams that never raise; those that somebody replaced are left alone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            file = _SturdyFile(stream.fileno(), "w", closefd=False)
            sturdy = io.TextIOWrapper(file, stream.encoding, "backslashreplace", write_through=True)
            setattr(sys, name, sturdy)
