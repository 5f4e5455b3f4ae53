"""JSON lines: one object per line, written whole; a last line without its newline is "not yet"."""

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def encode_line(record: dict[str, Any]) -> bytes:
    """Return `record` as one line of strict JSON; NaN and infinities become null, unknown objects text."""
    try:
        text = json.dumps(record, allow_nan=False, separators=(",", ":"), default=_plain)
    except ValueError:
        text = json.dumps(_finite(record), allow_nan=False, separators=(",", ":"), default=str)
    return text.encode("ascii") + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the object of one line; None if the line is no JSON object."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


class LineReader:
    """Reads a growing file of JSON lines, each line once. The file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def poll(self, at_most: int = 1 << 26) -> list[dict[str, Any]]:
        """Return the objects of the lines that were completed since the last call, of about `at_most` bytes.

        Lines that are no JSON object are passed over. A file that became shorter than what was read is
        another file: it is read from its start.
        """
        records: list[dict[str, Any]] = []
        with suppress(OSError), self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._offset:
                self._offset = 0
            file.seek(self._offset)
            end = self._offset + at_most
            while self._offset < end and (line := file.readline()).endswith(b"\n"):
                self._offset += len(line)
                if (record := decode_line(line)) is not None:
                    records.append(record)
        return records


def cut_torn_line(descriptor: int) -> int:
    """Cut what follows the last newline of an open file; return the size that is left, in bytes."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _CHUNK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def _plain(value: object) -> Any:
    """Return what JSON can hold for a number of another library (numpy, torch), else the object's text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) or hasattr(value, "item"):
        return _plain(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
