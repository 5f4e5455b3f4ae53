"""One run in one line: what is known of it from its files, without following it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.state import Event, RunState, fold
from dbtui.dashboard.status import LIVE, Status, status_of
from trainer_core.run.checkpoints import checkpoints, looks_whole, step_of
from trainer_core.run.directory import RunDirectory
from trainer_core.run.flock import Look, Standing
from trainer_core.run.lines import decode_line
from trainer_core.run.lock import look_at_lock
from trainer_core.run.process import ProcessIdentity, is_suspended

_WHOLE = 2 << 20
_END = 256 << 10
_CHUNK = 4 << 20
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


def summarize(run: RunDirectory) -> RunSummary:
    """Look at one run. Of a very long event file only the beginning and the end are folded."""
    look = look_at_lock(run)
    events, skipped = _outline(run.events)
    state = fold(events)
    silence = seconds_since(run.events)
    status = status_of(state, lives=lives(look), silence=silence, is_suspended=holder_is_suspended(look))
    created = _created(run)
    return RunSummary(
        run=run,
        status=status,
        state=state,
        total_steps=state.total_steps or read_facts(run).max_steps,
        lifetime_steps=state.lifetime_steps + skipped,
        started=state.started or created,
        changed=state.t or created,
        silence=silence,
        holder=look.holder,
        is_elsewhere=look.standing is Standing.ELSEWHERE,
        resume_step=_resume_step(run) if status in _RESUMABLE else None,
    )


def _resume_step(run: RunDirectory) -> int | None:
    """Return the step of the newest checkpoint that looks whole; its hashes are for the trainer to verify."""
    return next((step_of(path) for path in reversed(checkpoints(run.checkpoints)) if looks_whole(path)), None)


def lives(look: Look) -> bool:
    """Tell whether a trainer works on the run, as far as can be seen from here."""
    return look.standing in {Standing.HERE, Standing.ELSEWHERE, Standing.STARTING}


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


def _outline(path: Path) -> tuple[list[Event], int]:
    """Return the events of the file's beginning and end, and how many steps lie between them."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= _WHOLE:
                return list(_decoded(file.read(_WHOLE))), 0
            head = file.read(_END)
            head = head[: head.rfind(b"\n") + 1]
            file.seek(size - _END)
            tail = file.read().partition(b"\n")[2]
            file.seek(len(head))
            skipped = _count_steps(file.read(_CHUNK) for _ in iter(int, 1)) - tail.count(_STEP)
    except OSError:
        return [], 0
    return list(_decoded(head + tail)), max(0, skipped)


def _count_steps(chunks: Iterator[bytes]) -> int:
    """Count the step events of a file that is read in pieces."""
    count, rest = 0, b""
    for chunk in chunks:
        if not chunk:
            break
        data = rest + chunk
        count += data.count(_STEP)
        rest = data[-(len(_STEP) - 1) :]
    return count


def _decoded(data: bytes) -> Iterator[Event]:
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        if (event := decode_line(line)) is not None:
            yield event
