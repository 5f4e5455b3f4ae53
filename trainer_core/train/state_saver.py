"""Saving the state while the training goes on: copied to main memory, then written and read back in a thread.

At most one is under way. Where main memory has no room for a copy, the training waits for the writing, and only
the reading back goes on beside it. Whoever saves asks for the outcome later, and decides what a failure means.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import discard
from trainer_core.run.checkpoints import (
    DAMAGE,
    StoppedCheckingError,
    checkpoints,
    looks_whole,
    prune,
    step_of,
    verified_manifest,
)
from trainer_core.run.memory import free_main_memory
from trainer_core.text import safe_text
from trainer_core.train.checkpoint import Checkpoint, write_checkpoint
from trainer_core.train.out_of_memory import is_out_of_memory

COPIES = 2
"""How often the state must fit into the main memory that is available before one copy of it is made."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """A checkpoint that stands.

    Attributes:
        seconds: what writing took, which is what a stop has to wait for.
        stall: how long the training waited.
        totals: what was done in all until then.
    """

    path: Path
    step: int
    bytes: int
    seconds: float
    stall: float
    totals: dict[str, float]


class StateSaver:
    """Writes checkpoints into a run's folder, one after the other.

    Attributes:
        standing: the newest checkpoint that is known to be whole.
        last: what saving it cost, if this process wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.standing: Path | None = None
        self.last: SavedState | None = None
        self._damaged: set[str] = set()
        self._under_way: Future[SavedState] | None = None
        self._hurry = Event()

    def resumed_from(self, path: Path) -> None:
        """Take note that the training goes on from `path`, which verified; those after it did not."""
        self.standing = path
        self._damaged = {each.name for each in checkpoints(self.folder) if step_of(each) > step_of(path)}
        prune(self.folder, path)

    def has(self, step: int) -> bool:
        """Tell whether the state after `step` steps was saved by this process and stands."""
        return self.last is not None and self.last.path == self.standing and self.last.step == step

    def fallback(self) -> Path | None:
        """Return the checkpoint that a resume would begin with, if it is still there; only sizes are looked at."""
        if self.standing is None:
            return None
        whole = (path for path in reversed(checkpoints(self.folder)) if looks_whole(path))
        return next((path for path in whole if path.name not in self._damaged), None)

    def start(self, checkpoint: Checkpoint) -> None:
        """Save `checkpoint`; return as soon as the training may go on. See `outcome`. Raises UserError(DISK)."""
        started = time.monotonic()
        self._hurry.clear()
        if copy := _copied(checkpoint):
            self._under_way = _beside(self._write_and_check, copy, time.monotonic() - started)
        else:
            self._under_way = _beside(self._check, self._write(checkpoint, started))

    def save_now(self, checkpoint: Checkpoint) -> SavedState:
        """Save `checkpoint` before something ends: without a copy, not read back, nothing pruned.

        The next start reads it back, and falls back to an older one if it must. Raises UserError(DISK).
        """
        saved = self._write(checkpoint, time.monotonic())
        self._note(saved)
        return saved

    def outcome(self, *, wait: bool = False, hurry: bool = False) -> SavedState | None:
        """Return the checkpoint that was under way once it stands; None if there is none, or not yet.

        With `wait` it is waited for, with `hurry` the reading back is left to the next start. Raises
        UserError(DISK) if it could not be written.
        """
        task = self._under_way
        if task is None or not (wait or task.done()):
            return None
        if hurry:
            self._hurry.set()
        try:
            saved = task.result()
        finally:
            self._under_way = None
        self._note(saved)
        return saved

    def _note(self, saved: SavedState) -> None:
        self.standing, self.last = saved.path, saved

    def _write_and_check(self, checkpoint: Checkpoint, stall: float) -> SavedState:
        return self._check(self._write(checkpoint, time.monotonic(), stall))

    def _write(self, checkpoint: Checkpoint, started: float, stall: float | None = None) -> SavedState:
        path, size = write_checkpoint(self.folder, checkpoint)
        self._damaged.discard(path.name)
        seconds = time.monotonic() - started
        waited = seconds if stall is None else stall
        return SavedState(path, checkpoint.step, size, seconds, waited, asdict(checkpoint.totals))

    def _check(self, saved: SavedState) -> SavedState:
        """Read back what was written, and only if it verifies remove what it replaces."""
        try:
            verified_manifest(saved.path, self._hurry.is_set)
        except StoppedCheckingError:
            return saved
        except DAMAGE as error:
            with suppress(OSError):
                discard(saved.path)
            text = f"{safe_text(saved.path)} reads back otherwise than it was written ({safe_text(error)})"
            raise UserError(f"{text}: the disk or the memory may be failing.", ExitCode.DISK) from error
        prune(self.folder, saved.path, self._damaged)
        return saved


def _beside(work: Callable[..., SavedState], *arguments: Any) -> Future[SavedState]:
    """Begin `work` in a thread, whose end the process waits for."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="state")
    future = pool.submit(work, *arguments)
    pool.shutdown(wait=False)
    return future


def _copied(checkpoint: Checkpoint) -> Checkpoint | None:
    """Return a copy in main memory, or None where there is no room for it."""
    if not fits_into_memory(checkpoint.bytes):
        return None
    try:
        return checkpoint.copy()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def fits_into_memory(size: int) -> bool:
    """Tell whether there is memory for a copy of a state of `size` bytes, and as much again."""
    available = free_main_memory()
    return available is not None and COPIES * size <= available
