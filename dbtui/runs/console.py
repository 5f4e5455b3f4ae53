"""The trainer's console output, line by line."""

from contextlib import suppress
from os import fstat
from pathlib import Path

_CHUNK = 1 << 20


class ConsoleReader:
    """Reads a growing text file, each line once. A file that became shorter is read from its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def poll(self, *, is_over: bool = False) -> list[str]:
        """Return the lines that were completed since the last call; with `is_over` also an unfinished last one."""
        data = b""
        with suppress(OSError), self._path.open("rb") as file:
            if fstat(file.fileno()).st_size < self._offset:
                self._offset = 0
            file.seek(self._offset)
            while chunk := file.read(_CHUNK):
                data += chunk
        whole = data if is_over else data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        lines = whole.decode(errors="replace").split("\n")
        return [shown for line in lines if (shown := _last_version(line))]


def _last_version(line: str) -> str:
    """Return what a terminal would show of a line that was drawn over with carriage returns, as bars are."""
    return line.rstrip().rpartition("\r")[2]
