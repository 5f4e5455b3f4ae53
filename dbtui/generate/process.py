"""Starts the process that draws, reads what it tells, and ends it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from dbtui.runs.launch import death_words, exit_code_of, last_lines, quiet_environment
from trainer_core.errors import ExitCode
from trainer_core.generate.request import Request
from trainer_core.on_disk import exists, from_home

_PATIENCE = 15.0
_TAIL = 16_384


class DrawingProcess:
    """One request being drawn. Leaving the block ends the process, whatever it is doing.

    It ends by itself too when this process is gone: its stdin is then closed.
    """

    def __init__(self, request: Request, command: Sequence[str] | None = None) -> None:
        """Start it; `command` replaces `python -m trainer_core.generate`."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            list(command or (sys.executable, "-m", "trainer_core.generate")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd="/",  # so that no folder here stands in for a library
            env=quiet_environment(),
            start_new_session=True,
        )
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.write(absolute(request).to_json().encode() + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> "DrawingProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what it tells until its end, the end itself always: "done", or "failed" with what is wrong."""
        assert self._process.stdout is not None
        has_ended = False
        for line in self._process.stdout:
            with suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("kind"), str):
                    has_ended = has_ended or event["kind"] in {"done", "failed"}
                    yield event
        if not has_ended:
            yield self._silent_end()

    def cancel(self) -> None:
        """Ask it to stop; what is drawn stays. From any thread."""
        with suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _silent_end(self) -> dict[str, Any]:
        status = self._process.wait()
        code = exit_code_of(status) or ExitCode.FAILED
        problem = death_words(status).replace("the trainer", "the process that draws", 1)
        return {"kind": "failed", "exit_code": int(code), "problems": [problem, *self._last_words()]}

    def _last_words(self) -> list[str]:
        with suppress(OSError, ValueError):
            self._stderr.seek(0, 2)
            self._stderr.seek(max(0, self._stderr.tell() - _TAIL))
            return last_lines(self._stderr.read(), 3)
        return []


def absolute(request: Request) -> Request:
    """Return the request with every path absolute; a Hub id stays what it is."""
    return replace(
        request,
        model=_absolute(request.model),
        base=_absolute(request.base) if request.base is not None else None,
        out=str(from_home(request.out).absolute()),
        candidates=tuple(_absolute(each) for each in request.candidates),
    )


def _absolute(named: str) -> str:
    path: Path = from_home(named)
    return str(path.absolute()) if exists(path) else named
