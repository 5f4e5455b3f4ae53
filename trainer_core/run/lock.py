"""The lock of a run: held by the trainer as long as it lives, gone with it however it dies."""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run import flock
from trainer_core.run.directory import RunDirectory
from trainer_core.run.flock import HeldError, HeldLock, Look, Standing, look_at, read_holder
from trainer_core.run.process import ProcessIdentity
from trainer_core.text import safe_text


@dataclass
class RunLock:
    """A run's lock that is held. `note` says what the person should know about it, if anything."""

    held: HeldLock
    note: str = ""

    def is_mine(self) -> bool:
        """Tell whether this process still has the run; after a take-over another trainer has it."""
        return self.held.is_mine()

    def release(self) -> None:
        """Give the lock back; the system does the same when the process ends."""
        self.held.release()


def acquire(run: RunDirectory, *, take_over: bool = False) -> RunLock:
    """Take the run's lock and write into it who holds it.

    A lock whose holder is gone is taken silently; with `take_over` also one whose holder is on a machine that
    cannot be asked from here, or which only its children still hold.

    Raises UserError(LOCKED) naming pid, host and age if another trainer holds it, and UserError(DISK) if the lock
    file cannot be written.
    """
    try:
        held = flock.take_over(run.lock) if take_over else flock.take(run.lock)
    except HeldError as error:
        raise UserError(locked_words(run, error.look), ExitCode.LOCKED) from error
    except OSError as error:
        raise UserError(f"{safe_text(run.lock)} cannot be written: {error.strerror}", ExitCode.DISK) from error
    note = f"the file system of {safe_text(run.path)} has no locks: process ids alone tell who trains"
    return RunLock(held, "" if held.has_flock else note)


def look_at_lock(run: RunDirectory) -> Look:
    """Look who works on this run, without waiting."""
    return look_at(run.lock)


def is_alive(run: RunDirectory) -> bool:
    """Tell whether a trainer works on this run: the lock is held, and its holder is confirmed where it can be."""
    return look_at(run.lock).standing in {Standing.HERE, Standing.ELSEWHERE, Standing.STARTING}


def lock_holder(run: RunDirectory) -> ProcessIdentity | None:
    """Return who holds the lock, or held it when it died; None if nobody does."""
    return read_holder(run.lock)


def locked_words(run: RunDirectory, look: Look) -> str:
    """Say who has the run, since when, and what can be done."""
    if look.holder is None:
        return f"{run.name} is locked by another trainer that has just started: wait for it, or stop it"
    who = f"process {look.holder.pid} on {safe_text(look.holder.host)}, for {_age(run.lock)}"
    place = safe_text(shlex.quote(str(run.path)), 1000)
    if look.standing is Standing.REMAINS:
        return (
            f"{run.name} is held by what is left of {who}: end its remaining processes first, or go on without "
            f"them: dbtui resume {place} --take-over"
        )
    if look.standing is Standing.HERE:
        return f"{run.name} is being trained by {who}: watch it with: dbtui attach {place}"
    return (
        f"{run.name} is being trained by {who}, which cannot be asked from here (its last event was "
        f"{_age(run.events)} ago): stop it there. If that machine is gone for good, go on with: "
        f"dbtui resume {place} --take-over"
    )


def _age(path: Path) -> str:
    try:
        seconds = max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return "an unknown time"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
