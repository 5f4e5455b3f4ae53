"""Ask a question in a process of its own, so that a broken or hanging native library harms nobody else."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trainer_core.probe import MARK
from trainer_core.text import safe_text

_CODE = "from trainer_core.probe import main; main()"
_LOOK_EVERY = 0.2
"""Seconds between two looks at whether the answer is still wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found; or, if it found nothing, why."""

    facts: dict[str, Any] | None
    failure: str = ""


class _NotWantedError(Exception):
    """Nobody waits for the answer any more."""


def ask(question: str, timeout: float, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Ask one of `trainer_core.probe.QUESTIONS`; wait at most `timeout` seconds, not once `stopped` is true."""
    command = [sys.executable, "-P", "-c", _CODE, question]
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as child:
            stdout, stderr = _answer(child, timeout, stopped)
    except subprocess.TimeoutExpired:
        return Answer(None, f"gave no answer in {timeout:.0f} s")
    except _NotWantedError:
        return Answer(None, "was not waited for")
    except OSError as error:
        return Answer(None, f"cannot be asked ({safe_text(error)})")
    _, mark, rest = stdout.decode(errors="replace").rpartition(f"\n{MARK}")
    if mark:
        return Answer(json.loads(rest.splitlines()[0]))
    return Answer(None, _why(child.returncode, stderr.decode(errors="replace")))


def _answer(child: "subprocess.Popen[bytes]", timeout: float, stopped: Callable[[], bool]) -> tuple[bytes, bytes]:
    """Return what the child wrote; a child that is not waited for to its end is killed."""
    deadline = time.monotonic() + timeout
    try:
        while not stopped():
            left = deadline - time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                return child.communicate(timeout=max(0.0, min(_LOOK_EVERY, left)))
            if left <= _LOOK_EVERY:
                raise subprocess.TimeoutExpired(child.args, timeout)
        raise _NotWantedError
    except BaseException:
        child.kill()
        raise


def _why(status: int, stderr: str) -> str:
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
        return f"crashed ({name})"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return safe_text(lines[-1], 300) if lines else f"ended with code {status} and without a word"
