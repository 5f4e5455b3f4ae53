"""Runs one command of the person's, its output in the trainer's own, within a time limit."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from trainer_core.run.redact import redact
from trainer_core.run.stop_signals import StopRequestedError, never
from trainer_core.text import safe_text

_LOOK_EVERY = 0.1
_GRACE = 5.0
_MOST_LINES = 2000
_MOST_CAPTURED = 8 * 2**20
_WAIT_FOR_OUTPUT = 2.0


class CommandError(Exception):
    """A command could not be started, failed, or took too long; the text says which, and is safe to show."""


def run_command(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    minutes: float,
    *,
    should_stop: Callable[[], bool] = never,
    capture: bool = False,
) -> str:
    """Run the program `words[0]` with the other words as they are: no shell, no stdin, a session of its own.

    Its output goes to stdout line by line, without secrets; with `capture` its standard output is returned
    instead. When time is over, or `should_stop` says so, it and what it started are ended.

    Raises:
        CommandError: it cannot be started, or ends with another exit code than 0.
        StopRequestedError: `should_stop` said so.
    """
    name = safe_text(Path(words[0]).name, 60)
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if capture else subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CommandError(f"{name} cannot be started ({safe_text(error)})") from None
    captured: list[bytes] = []
    readers = [_start(_keep if capture else _tell, process.stdout, name, captured)]
    if capture:
        readers.append(_start(_tell, process.stderr, name, captured))
    try:
        status = _wait(process, minutes * 60, should_stop, name)
    finally:
        for reader in readers:  # something that it started may hold the pipe for long
            reader.join(_WAIT_FOR_OUTPUT)
    if status:
        raise CommandError(f"{name} ended with {_ended(status)}")
    return b"".join(captured).decode("utf-8", "replace")


def _wait(process: subprocess.Popen[bytes], seconds: float, should_stop: Callable[[], bool], name: str) -> int:
    until = time.monotonic() + seconds
    while (status := process.poll()) is None:
        if should_stop():
            _end(process)
            raise StopRequestedError
        if time.monotonic() > until:
            _end(process)
            raise CommandError(f"{name} took longer than {seconds / 60:g} minutes and was ended")
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_EVERY)
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started, which is of the same group."""
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _start(
    target: Callable[[IO[bytes], str, list[bytes]], None], stream: IO[bytes] | None, *more: object
) -> threading.Thread:
    thread = threading.Thread(target=target, args=(stream, *more), name="command output", daemon=True)
    thread.start()
    return thread


def _tell(stream: IO[bytes], name: str, _captured: list[bytes]) -> None:
    told = 0
    with suppress(OSError, ValueError), stream:
        while line := stream.readline(4000):  # what is not told must be read all the same: the pipe would fill
            told += 1
            if told <= _MOST_LINES:
                text = safe_text(redact(line.decode("utf-8", "replace").rstrip("\r\n")), 4000)
                sys.stdout.write(f"{name}: {text}\n")
                sys.stdout.flush()


def _keep(stream: IO[bytes], _name: str, captured: list[bytes]) -> None:
    kept = 0
    with suppress(OSError, ValueError), stream:
        while data := stream.read1(65_536):  # type: ignore[attr-defined]
            kept += len(data)
            if kept <= _MOST_CAPTURED:
                captured.append(data)


def _ended(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    number = -status
    return f"signal {signal.Signals(number).name if number in signal.valid_signals() else number}"
