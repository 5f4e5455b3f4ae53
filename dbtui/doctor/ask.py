"""Ask a question in a process of its own, so that a broken or hanging native library harms nobody else."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from trainer_core.probe import MARK
from trainer_core.text import safe_text

_CODE = "from trainer_core.probe import main; main()"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found; or, if it found nothing, why."""

    facts: dict[str, Any] | None
    failure: str = ""


def ask(question: str, timeout: float) -> Answer:
    """Ask one of `trainer_core.probe.QUESTIONS`; wait at most `timeout` seconds."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _CODE, question],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(None, f"gave no answer in {timeout:.0f} s")
    except OSError as error:
        return Answer(None, f"cannot be asked ({safe_text(error)})")
    _, mark, rest = child.stdout.decode(errors="replace").rpartition(f"\n{MARK}")
    if mark:
        return Answer(json.loads(rest.splitlines()[0]))
    return Answer(None, _why(child.returncode, child.stderr.decode(errors="replace")))


def _why(status: int, stderr: str) -> str:
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
        return f"crashed ({name})"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return safe_text(lines[-1], 300) if lines else f"ended with code {status} and without a word"
