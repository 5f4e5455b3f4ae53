"""A lock file: held by a process as long as it lives, and saying who that is, to other machines too.

The system's flock decides as far as it reaches; pid, process start and boot confirm the holder. A shared disk
whose flock does not reach other machines, or that has none, leaves doubt: a holder elsewhere then counts as alive.
"""

import errno
import fcntl
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from trainer_core.run.atomic import STAGING_PREFIX
from trainer_core.run.mounts import lock_tells_all
from trainer_core.run.process import ProcessIdentity

_PATIENCE = 1.0
_RETRY = 0.05
_SETTLING = 0.3
_UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


class Standing(Enum):
    """How a lock stands, seen from this process."""

    FREE = "nobody holds it"
    HERE = "a process of this machine holds it, and lives"
    ELSEWHERE = "a process of another machine holds it, or may"
    REMAINS = "its holder is gone, but a child of it goes on holding it"
    STARTING = "somebody took it just now and has not said who that is"

    @property
    def is_near(self) -> bool:
        """Tell whether its holder, if any, is on this machine."""
        return self is not Standing.ELSEWHERE


@dataclass(frozen=True)
class Look:
    """One look at a lock file: how it stands, who wrote it last, and whether the file system has locks at all."""

    standing: Standing
    holder: ProcessIdentity | None
    has_flock: bool = True


class HeldError(Exception):
    """The lock is somebody else's."""

    def __init__(self, look: Look) -> None:
        self.look = look
        super().__init__(look.standing.value)


class _FlockUnsupportedError(Exception):
    """The file system has no flock."""


@dataclass
class HeldLock:
    """A lock that this process holds."""

    path: Path
    descriptor: int
    identity: ProcessIdentity
    """What it says of this process; the machine may get another name meanwhile."""
    has_flock: bool = True

    def is_mine(self) -> bool:
        """Tell whether the lock still names this process; after a take-over it names another."""
        holder = read_holder(self.path)
        return holder is None or holder == self.identity

    def release(self) -> None:
        """Give the lock back and say so in the file; when a process ends, the system does the first."""
        if self.descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self.descriptor, 0)
            os.close(self.descriptor)
            self.descriptor = -1


def look_at(path: Path) -> Look:
    """Look at a lock file, which need not exist, without waiting."""
    holder = read_holder(path)
    try:
        is_held = _is_held(path)
    except _FlockUnsupportedError:
        return Look(_without_flock(holder), holder, has_flock=False)
    return Look(_standing(path, holder, is_held), holder)


def take(path: Path) -> HeldLock:
    """Take the lock and write into the file who holds it. A lock whose holder is gone is taken silently.

    Raises HeldError if somebody else holds it, OSError if the file cannot be written.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        lock = _try(path)
        if lock is not None:
            return lock
        look = look_at(path)  # someone who only looks holds it for a moment
        if look.standing in {Standing.HERE, Standing.ELSEWHERE} or time.monotonic() > deadline:
            raise HeldError(look)
        time.sleep(_RETRY)


def take_over(path: Path) -> HeldLock:
    """Take the lock also from a holder that cannot be asked from here; one that lives here keeps it (HeldError).

    The file is replaced, so a holder that comes back finds another's name in it (`HeldLock.is_mine`).
    """
    look = look_at(path)
    if look.standing is Standing.FREE:
        return take(path)
    if look.standing is Standing.HERE:
        raise HeldError(look)
    staging = path.parent / f"{STAGING_PREFIX}{path.name}-{uuid.uuid4().hex[:12]}"
    descriptor = os.open(staging, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        has_flock = True
        try:
            _try_flock(descriptor, fcntl.LOCK_EX)
        except _FlockUnsupportedError:
            has_flock = False
        identity = _write_holder(descriptor)
        os.fsync(descriptor)
        staging.replace(path)
    except BaseException:
        os.close(descriptor)
        staging.unlink(missing_ok=True)
        raise
    return HeldLock(path, descriptor, identity, has_flock)


def read_holder(path: Path) -> ProcessIdentity | None:
    """Return who holds the lock, or held it when it died; None if nobody does, or it is not known."""
    try:
        return ProcessIdentity.from_json(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def _try(path: Path) -> HeldLock | None:
    """Take the lock if it is free."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock = _take_open(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if lock is None:
        os.close(descriptor)
    return lock


def _take_open(path: Path, descriptor: int) -> HeldLock | None:
    holder = read_holder(path)
    try:
        if not _try_flock(descriptor, fcntl.LOCK_EX):
            return None
    except _FlockUnsupportedError:
        if _without_flock(holder) is not Standing.FREE:
            return None
        identity = _write_holder(descriptor)
        time.sleep(_SETTLING)  # of several that found it free at once, the last one to write has it
        return HeldLock(path, descriptor, identity, has_flock=False) if read_holder(path) == identity else None
    if not _is_same_file(path, descriptor):  # somebody replaced it meanwhile
        return None
    if _standing(path, holder, is_held=False) is not Standing.FREE:
        return None
    return HeldLock(path, descriptor, _write_holder(descriptor))


def _standing(path: Path, holder: ProcessIdentity | None, is_held: bool) -> Standing:
    if holder is None:
        return Standing.STARTING if is_held else Standing.FREE
    if holder.is_here():
        if not is_held:
            return Standing.FREE
        return Standing.HERE if holder.is_running() else Standing.REMAINS
    is_free = not is_held and (holder.shares_this_kernel() or lock_tells_all(path))
    return Standing.FREE if is_free else Standing.ELSEWHERE


def _without_flock(holder: ProcessIdentity | None) -> Standing:
    """A holder on another machine cannot be disproved, so it counts as alive."""
    if holder is None:
        return Standing.FREE
    if not holder.is_here():
        return Standing.ELSEWHERE
    return Standing.HERE if holder.is_running() else Standing.FREE


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


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _write_holder(descriptor: int) -> ProcessIdentity:
    identity = ProcessIdentity.mine()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, identity.to_json().encode() + b"\n", 0)
    return identity
