"""What a process of a run that is not the first leaves when it fails: the first one, or the launcher, tells it."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

_PATIENCE = 3.0
"""Seconds in which a process that lost its connection first may find out whose fault it was."""


class LostProcessError(UserError):
    """Another process of this run failed, and nothing can be computed without it."""


def write_failure(run: RunDirectory, rank: int, error: UserError) -> None:
    """Leave word of why process `rank` ends."""
    record = {"rank": rank, "code": int(error.code), "problems": error.problems}
    with suppress(OSError):
        write_text(run.path / f".failed-{rank}.json", json.dumps(record))


def forget_failures(run: RunDirectory) -> None:
    """Remove what an earlier attempt left."""
    for path in _files(run):
        with suppress(OSError):
            path.unlink()


def failure_of_another(run: RunDirectory, *, patience: float = _PATIENCE) -> LostProcessError | None:
    """Return why another process failed, the first that left word; None if none does within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (files := sorted(_files(run), key=_age)):
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.05)
    try:
        record = json.loads(files[0].read_text(encoding="utf-8"))
        problems = [safe_text(problem, limit=2000) for problem in record["problems"]]
        problems[0] = f"process {int(record['rank'])} of this run failed: {problems[0]}"
        return LostProcessError(problems, ExitCode(record["code"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def lost_without_a_word() -> LostProcessError:
    """Return what to tell where a process ended and left no word."""
    return LostProcessError(
        "another process of this run ended without a word (the machine may have run out of memory); the end of "
        "console.log may say more",
        ExitCode.FAILED,
    )


def _files(run: RunDirectory) -> Iterator[Path]:
    return run.path.glob(".failed-*.json")


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
