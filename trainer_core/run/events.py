"""The event log: written by the trainer alone, read by any number of viewers at any time."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainer_core.run.directory import RunDirectory
from trainer_core.run.lines import LineReader, cut_torn_line, decode_line, encode_line
from trainer_core.run.redact import redact

FORMAT_VERSION = 1
_MOST_WAITING = 10_000
_MOST_AT_ONCE = 500
_MATTERING = {"warning", "control_ack", "checkpoint", "saved", "validation", "resumed", "finished", "failed"}
"""Kinds of events that are kept while the disk takes nothing."""
_MOST_OWED = 100
_RESERVED = 64 << 10
"""Bytes that are set aside for these, at the end."""
_LOST = "{} events could not be written here for a while (the disk was full, say); the training went on"


class EventWriter:
    """The one writer of a run's events. Writing never blocks and never raises.

    Lines are handed to a thread, which writes them whole. If the disk is full or does not answer,
    lines are dropped and counted, one warning goes to stderr, and the training goes on. Lines that matter are
    kept and written once they can be; at the latest at the end, into room that was reserved for that, so that a
    run that ends because its disk is full can say so.

    Attributes:
        lost: events that could not be written.
        watchers: called with each event, in the thread that tells it; they must return at once.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.lost = 0
        self.watchers: list[Callable[[dict[str, Any]], None]] = []
        self._warned = False
        self._told = 0
        self._owed: list[bytes] = []
        self._reserve = run.path / ".reserve"
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._descriptor, self._size = self._open(run.events)
        with suppress(OSError):
            self._reserve.write_bytes(os.urandom(_RESERVED))  # zeros take no room on some file systems
        self._thread = threading.Thread(target=self._write_all, name="events", daemon=True)
        self._thread.start()
        if self._size == 0:
            self.emit("format", version=FORMAT_VERSION, run=run.name, started=time.time())

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event with the time of now. Secrets in its texts are hidden."""
        record = _record(kind, **fields)
        for watcher in self.watchers:
            with suppress(Exception):  # a log, say
                watcher(record)
        try:
            self._waiting.put_nowait(encode_line(record))
        except queue.Full:
            self._lose("the disk does not answer")
        except Exception as error:  # noqa: BLE001 - no event is worth the training
            self._lose(f"{kind} cannot be written as JSON: {error}")

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything emitted so far is written, or the time is over; tell whether it is."""
        deadline = time.monotonic() + timeout
        while self._waiting.unfinished_tasks:
            if time.monotonic() > deadline or not self._thread.is_alive():
                return False
            time.sleep(0.002)
        return True

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits and end; events emitted afterwards are lost."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout)
        self._thread.join(timeout)

    def _open(self, path: Path) -> tuple[int, int]:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            return descriptor, cut_torn_line(descriptor)
        except OSError as error:
            self._lose(f"{path.name}: {error.strerror}")
            return -1, 0

    def _write_all(self) -> None:
        while (line := self._waiting.get()) is not None:
            lines = [line, *self._take_waiting()]
            self._write_lines(lines)
            for _ in lines:
                self._waiting.task_done()
        with suppress(OSError):
            self._reserve.unlink()
        if self._owed:
            self._write_lines([])
        self._waiting.task_done()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _take_waiting(self) -> list[bytes]:
        """Return what waits besides the first line, up to the end mark, which stays."""
        lines: list[bytes] = []
        with suppress(queue.Empty):
            while len(lines) < _MOST_AT_ONCE:
                line = self._waiting.get_nowait()
                if line is None:
                    self._waiting.put(None)
                    self._waiting.task_done()
                    break
                lines.append(line)
        return lines

    def _write_lines(self, lines: list[bytes]) -> None:
        """Write whole lines with one call; a disk that fills up in their middle keeps no part of a line."""
        if self._descriptor < 0:
            self.lost += len(lines)
            return
        data, reason = b"".join([*self._owed, *lines]), "no space left on the disk"
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            written, reason = 0, str(error.strerror)
        whole = data[:written].rfind(b"\n") + 1
        self._size += whole
        left = data[whole:].splitlines(keepends=True)
        self._owed = [line for line in left if _matters(line)][-_MOST_OWED:]
        if left:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self._lose(reason, len(left) - len(self._owed))
        elif self.lost > self._told:
            told, self._told = self.lost - self._told, self.lost
            self._write_lines([encode_line(_record("warning", code="events_lost", text=_LOST.format(told)))])

    def _lose(self, reason: str, events: int = 1) -> None:
        self.lost += events
        if not self._warned:
            self._warned = True
            with suppress(OSError, ValueError):
                sys.stderr.write(f"warning: events are being lost ({redact(reason)}); the training goes on\n")
                sys.stderr.flush()


def _record(kind: str, **fields: Any) -> dict[str, Any]:
    record = {"t": round(time.time(), 3), "mono": round(time.monotonic(), 4), "kind": kind}
    return record | {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}


def _matters(line: bytes) -> bool:
    record = decode_line(line)
    return record is not None and record.get("kind") in _MATTERING


class EventReader(LineReader):
    """Reads a run's events from the file, each once; `poll()` returns what is new.

    Kinds and fields that this version does not know are returned like all others.
    """
