"""The lock of a run: held by the trainer as long as it lives, gone with it however it dies."""

import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.process import ProcessIdentity
from trainer_core.text import safe_text

_PATIENCE = 1.0
_RETRY = 0.05
_UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


class _FlockUnsupportedError(Exception):
    """The file system has no flock."""


@dataclass
class RunLock:
    """A lock that is held. `note` says what the person should know about it, if anything."""

    descriptor: int
    note: str = ""

    def release(self) -> None:
        """Give the lock back; the system does the same when the process ends."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def acquire(run: RunDirectory) -> RunLock:
    """Take the run's lock and write into it who holds it.

    A lock whose holder is gone is taken over silently. Raises UserError(LOCKED) naming pid, host and age if
    another trainer holds it, and UserError(DISK) if the lock file cannot be written.
    """
    descriptor = -1
    try:
        descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        note = _take(descriptor, run)
        _write_holder(descriptor)
    except BaseException as error:
        if descriptor >= 0:
            os.close(descriptor)
        if isinstance(error, OSError):
            problem = f"{safe_text(run.lock)} cannot be written: {error.strerror}"
            raise UserError(problem, ExitCode.DISK) from error
        raise
    return RunLock(descriptor, note)


def is_alive(run: RunDirectory) -> bool:
    """Tell whether a trainer works on this run: the lock is held, and its holder is confirmed where it can be.

    Pid, process start and boot id confirm a holder on this machine. On another machine, which shares the
    folder, the lock alone decides.
    """
    holder = _read_holder(run.lock)
    try:
        if not _is_held(run.lock):
            return False
    except _FlockUnsupportedError:
        return _holder_may_live(holder)
    return holder is None or not holder.is_here() or holder.is_running()


def lock_holder(run: RunDirectory) -> ProcessIdentity | None:
    """Return who wrote the lock last, alive or not; None if nobody did."""
    return _read_holder(run.lock)


def _take(descriptor: int, run: RunDirectory) -> str:
    """Take the lock, or raise UserError(LOCKED); return what is to be said about it."""
    try:
        is_free = _wait_for_flock(descriptor, run)
        note = ""
    except _FlockUnsupportedError:
        is_free = not _holder_may_live(_read_holder(run.lock))
        note = f"the file system of {safe_text(run.path)} has no locks: process ids alone tell who trains"
    if not is_free:
        raise UserError(_locked_by(run), ExitCode.LOCKED)
    return note


def _wait_for_flock(descriptor: int, run: RunDirectory) -> bool:
    """Take the lock; wait a moment for those who only look whether it is held."""
    deadline = time.monotonic() + _PATIENCE
    while not _try_flock(descriptor, fcntl.LOCK_EX):
        holder = _read_holder(run.lock)
        if time.monotonic() > deadline or (holder is not None and holder.is_running()):
            return False
        time.sleep(_RETRY)
    return True


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_flock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise _FlockUnsupportedError from error
        raise
    return True


def _holder_may_live(holder: ProcessIdentity | None) -> bool:
    """Without flock: a holder on another machine cannot be disproved, so it counts as alive."""
    return holder is not None and (not holder.is_here() or holder.is_running())


def _read_holder(path: Path) -> ProcessIdentity | None:
    try:
        return ProcessIdentity.from_json(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def _write_holder(descriptor: int) -> None:
    line = ProcessIdentity.mine().to_json().encode() + b"\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, line, 0)


def _locked_by(run: RunDirectory) -> str:
    holder = _read_holder(run.lock)
    if holder is None:
        return f"{run.name} is locked by another trainer that has just started: wait for it, or stop it"
    age = max(0.0, time.time() - run.lock.stat().st_mtime)
    who = f"process {holder.pid} on {safe_text(holder.host)}, for {_minutes(age)}"
    if holder.is_here() and not holder.is_running():
        return f"{run.name} is held by what is left of {who}: end its remaining processes first"
    if holder.is_here():
        return f"{run.name} is being trained by {who}: watch it with `dbtui attach {run.name}`"
    return (
        f"{run.name} is being trained by {who}: stop it there. If that machine is gone for good, "
        f"remove {safe_text(run.lock)}"
    )


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
