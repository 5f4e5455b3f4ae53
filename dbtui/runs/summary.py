"""One run in one line: what is known of it from its files, without following it."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.state import Event, RunState, fold
from dbtui.dashboard.status import LIVE, Status, status_of
from dbtui.remote.origin import is_live_copy, read_origin
from trainer_core.run.checkpoints import checkpoints, looks_whole, step_of
from trainer_core.run.directory import RunDirectory
from trainer_core.run.flock import Look, Standing
from trainer_core.run.lines import decode_line
from trainer_core.run.lock import look_at_lock
from trainer_core.run.process import ProcessIdentity, is_suspended

_ENDS = 64 << 10
"""Bytes of the beginning and of the end whose steps are folded."""
LIVE_STANDINGS = frozenset({Standing.HERE, Standing.ELSEWHERE, Standing.STARTING})
_RESUMABLE = {"stopped", "failed", "crashed"}
_STEP = b'"kind":"step"'
"""How the trainer writes it (`trainer_core.run.lines.encode_line`)."""


@dataclass(frozen=True)
class RunSummary:
    """What a list of runs tells of one run. Times are seconds since the epoch."""

    run: RunDirectory
    status: Status
    state: RunState
    total_steps: int | None
    lifetime_steps: int
    """Steps done over all resumes, also those that a resume did anew."""
    started: float
    changed: float
    """Time of its last event, or of its creation."""
    silence: float
    """Seconds since its last event, by the clock of the file system."""
    holder: ProcessIdentity | None
    """Who trains it, or trained it when it died."""
    is_elsewhere: bool
    """Whether that process is on a machine that cannot be asked from here."""
    fetched_from: str
    """What names it on the machine that it was fetched from; empty if it was not."""
    resume_step: int | None
    """Step that a resume begins at; None if the run lives, is done, or has no checkpoint."""

    @property
    def lives(self) -> bool:
        """Tell whether a trainer works on it."""
        return self.status in LIVE

    @property
    def lifetime_epochs(self) -> float | None:
        """Passes through the pictures over all resumes; None before that is known."""
        steps = self.state.steps_per_epoch
        return self.lifetime_steps / steps if steps else None


class Outline:
    """The events of one run, folded as far as a list of runs tells them; each look reads only what is new.

    Of the steps of a long run the first and the last are folded, the others only counted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.state = RunState()
        self.skipped = 0

    def look(self) -> None:
        """Fold what is new. A file that became shorter is another file: it is read from its start."""
        with suppress(OSError), self._path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < self._offset:
                self._offset, self.state, self.skipped = 0, RunState(), 0
            file.seek(self._offset)
            self.state = fold(self._events(file, size - _ENDS), self.state)

    def _events(self, file: BinaryIO, end: int) -> Iterator[Event]:
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._offset += len(line)
            if _ENDS < self._offset < end and _STEP in line:
                self.skipped += 1
            elif (event := decode_line(line)) is not None:
                yield event


def summarize(run: RunDirectory, outline: Outline | None = None) -> RunSummary:
    """Look at one run; with the `outline` of an earlier look only what is new of its events is read."""
    look = look_at_lock(run)
    outline = outline or Outline(run.events)
    outline.look()
    state = outline.state
    silence = seconds_since(run.events)
    status = status_of(
        state,
        lives=lives(look),
        silence=silence,
        is_suspended=holder_is_suspended(look),
        is_copy=is_live_copy(run, LIVE),
    )
    origin = read_origin(run)
    created = _created(run)
    return RunSummary(
        run=run,
        status=status,
        state=state,
        total_steps=state.total_steps or read_facts(run).max_steps,
        lifetime_steps=state.lifetime_steps + outline.skipped,
        started=state.started or created,
        changed=state.t or created,
        silence=silence,
        holder=look.holder,
        is_elsewhere=look.standing is Standing.ELSEWHERE,
        fetched_from=origin.target if origin else "",
        resume_step=_resume_step(run) if status in _RESUMABLE else None,
    )


def _resume_step(run: RunDirectory) -> int | None:
    """Return the step of the newest checkpoint that looks whole; its hashes are for the trainer to verify."""
    return next((step_of(path) for path in reversed(checkpoints(run.checkpoints)) if looks_whole(path)), None)


def lives(look: Look) -> bool:
    """Tell whether a trainer works on the run, as far as can be seen from here."""
    return look.standing in LIVE_STANDINGS


def holder_is_suspended(look: Look) -> bool:
    """Tell whether the trainer is known to be stopped by a signal such as SIGSTOP."""
    return look.standing is Standing.HERE and look.holder is not None and is_suspended(look.holder.pid)


def seconds_since(path: Path) -> float:
    """Return the seconds since a file was last written; 0 if it is not there."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def _created(run: RunDirectory) -> float:
    try:
        return run.run_toml.stat().st_mtime
    except OSError:
        return 0.0
