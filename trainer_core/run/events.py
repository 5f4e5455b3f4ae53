"""The event log: written by the trainer alone, read by any number of viewers at any time."""

import os
import queue
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainer_core.run.directory import RunDirectory
from trainer_core.run.lines import LineReader, cut_torn_line, encode_line
from trainer_core.run.redact import redact

FORMAT_VERSION = 1
_MOST_WAITING = 10_000


class EventWriter:
    """The one writer of a run's events. Writing never blocks and never raises.

    Lines are handed to a thread, which writes each with one call. If the disk is full or does not answer,
    lines are dropped and counted, one warning goes to stderr, and the training goes on.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.lost = 0
        self._warned = False
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._descriptor, self._size = self._open(run.events)
        self._thread = threading.Thread(target=self._write_all, name="events", daemon=True)
        self._thread.start()
        if self._size == 0:
            self.emit("format", version=FORMAT_VERSION, run=run.name, started=time.time())

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event with the time of now. Secrets in its texts are hidden."""
        record = {"t": round(time.time(), 3), "mono": round(time.monotonic(), 4), "kind": kind}
        record |= {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
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
            try:
                self._write_line(line)
            except OSError as error:
                self._lose(str(error.strerror))
            finally:
                self._waiting.task_done()
        self._waiting.task_done()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _write_line(self, line: bytes) -> None:
        """Write one line whole; a disk that fills up in its middle leaves nothing of it behind."""
        if self._descriptor < 0:
            self.lost += 1
            return
        written = 0
        try:
            written = os.write(self._descriptor, line)
        finally:
            if written == len(line):
                self._size += written
            elif written:
                os.ftruncate(self._descriptor, self._size)
        if written < len(line):
            self._lose("no space left on the disk")

    def _lose(self, reason: str) -> None:
        self.lost += 1
        if not self._warned:
            self._warned = True
            with suppress(OSError, ValueError):
                sys.stderr.write(f"warning: events are being lost ({redact(reason)}); the training goes on\n")
                sys.stderr.flush()


class EventReader(LineReader):
    """Reads a run's events from the file, each once; `poll()` returns what is new.

    Kinds and fields that this version does not know are returned like all others.
    """
