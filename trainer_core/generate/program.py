"""The process that draws: a request in one line of JSON on stdin, events as lines of JSON on stdout.

It ends when stdin is closed, so it never outlives whoever wanted the pictures. What libraries print goes to
stderr.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from trainer_core.console import open_what_is_closed
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.stop_signals import StopRequestedError, StopSignals
from trainer_core.text import safe_text

_CHUNK = 65_536
_MOST = 1 << 20


class Events:
    """Writes events to what was stdout; from then on stdout is stderr."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="ascii", errors="backslashreplace")
        os.dup2(2, 1)

    def emit(self, kind: str, **fields: Any) -> None:
        """Write one event; whoever wanted it may be gone."""
        try:
            self._file.write(json.dumps({"kind": kind, **fields}) + "\n")
            self._file.flush()
        except OSError:
            raise StopRequestedError from None


def main() -> None:
    """Draw what stdin asks for and leave with the exit code."""
    open_what_is_closed()
    events = Events()
    signals = StopSignals()
    code = _run(events, signals)
    sys.stderr.flush()
    os._exit(code)  # nothing is worth waiting for


def _run(events: Events, signals: StopSignals) -> int:
    try:
        with signals.interrupting():
            line = _first_line()
            threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
            _draw(line, events)
    except StopRequestedError:
        return _failed(events, ["stopped; the pictures that are there stay"], ExitCode.STOPPED)
    except UserError as error:
        return _failed(events, error.problems, error.code)
    except Exception as error:  # noqa: BLE001 - the last resort
        import traceback

        traceback.print_exc()
        return _failed(
            events, [f"unexpected failure ({type(error).__name__}: {safe_text(error)})"], ExitCode.FAILED
        )
    return int(ExitCode.DONE)


def _draw(line: bytes, events: Events) -> None:
    from trainer_core.disk import why_not_writable
    from trainer_core.generate.request import Request
    from trainer_core.generate.source import find_source

    try:
        request = Request.from_json(line)
    except (ValueError, TypeError) as error:
        raise UserError(f"the request cannot be read: {safe_text(error)}", ExitCode.CONFIG) from error
    if problem := why_not_writable(Path(request.out)):
        raise UserError(f"{problem}: name another folder with -o", ExitCode.DISK)
    events.emit("phase", name="load", text="looking at the model")
    source = find_source(request.model)
    events.emit("source", what=source.kind, title=source.title, step=source.step)
    from trainer_core.models.lean import lean_imports

    lean_imports()
    from trainer_core.generate.drawing import draw_all

    draw_all(source, request, events.emit)
    events.emit("done")


def _failed(events: Events, problems: list[str], code: ExitCode) -> int:
    try:
        events.emit("failed", exit_code=int(code), problems=problems)
    except StopRequestedError:
        return int(ExitCode.STOPPED)
    return int(code)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < _MOST:
        if not (more := os.read(0, _CHUNK)):
            break
        line += more
    return line


def _end_with_stdin() -> None:
    """Ask for a stop once stdin is closed."""
    try:
        while os.read(0, _CHUNK):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
