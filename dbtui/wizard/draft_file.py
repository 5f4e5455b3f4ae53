"""Drafts on disk, so that a dropped connection loses no answer, and two dbtui at once do not mix theirs up.

Each draft has a file of its own, which the dbtui that writes it holds by a lock. What nobody holds was left: by a
connection that broke, a kill, or on purpose; it stays until its run is started or the person discards it. Where
the file system has no locks, two that go on with the same draft write the same file, and the last one wins.
"""

import errno
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dbtui.wizard.draft import GOALS, Draft
from trainer_core.run.atomic import remove_strays, write_text

_VERSION = 1
_LARGEST = 4 << 20
_LOOKS, _A_MOMENT = 5, 0.02
_EXPECTED: dict[str, type] = {each.name: type(getattr(Draft(), each.name)) for each in fields(Draft)}
_HELD_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EACCES}


def state_folder() -> Path:
    """Return the folder of what dbtui remembers of this person; it need not exist. DBTUI_STATE_DIR moves it."""
    if configured := os.environ.get("DBTUI_STATE_DIR"):
        return Path(configured)
    from platformdirs import user_state_path

    return user_state_path("dbtui")


def drafts_folder() -> Path:
    """Return the folder of the drafts."""
    return state_folder() / "drafts"


@dataclass(frozen=True, slots=True)
class LeftDraft:
    """A draft that can be gone on with: its file, what is in it, and when it was last written."""

    path: Path
    draft: Draft
    changed: float


class DraftFile:
    """The file of one draft, which this process holds until it releases it or ends."""

    def __init__(self, path: Path, lock: int = -1) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def new(cls) -> "DraftFile":
        """Return the place of a new draft; nothing is written yet. Raises OSError if it cannot be made."""
        folder = drafts_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{uuid.uuid4().hex[:12]}.json"
        lock = _lock(path)
        return cls(path, -1 if lock is None else lock)

    @classmethod
    def take(cls, path: Path) -> "DraftFile | None":
        """Hold the file of a draft that was left; None if another process does, or it is gone."""
        lock = _lock(path)
        for _ in range(_LOOKS):  # one that lists the drafts holds each of them for a moment
            if lock is not None:
                break
            time.sleep(_A_MOMENT)
            lock = _lock(path)
        if lock is None:
            return None
        if not path.exists():
            cls(path, lock).forget()
            return None
        return cls(path, lock)

    def save(self, draft: Draft) -> None:
        """Write the draft, whole or not at all. Raises OSError."""
        write_text(self.path, json.dumps({"version": _VERSION, **asdict(draft)}, ensure_ascii=True))

    def forget(self) -> None:
        """Remove it: its run was started, or the person does not want it."""
        for path in (self.path, _lock_path(self.path)):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave it to whoever goes on with it; when the process ends, the system does."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def left_drafts(mine: DraftFile | None = None) -> list[LeftDraft]:
    """Return the drafts that no other process holds, the newest first; what cannot be read is left out."""
    with suppress(OSError):
        remove_strays(drafts_folder(), is_mine=lambda name: _is_free(drafts_folder() / name))
    return sorted(_left(mine), key=lambda left: left.changed, reverse=True)


def load_draft(path: Path) -> Draft | None:
    """Return the draft in a file, None if it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _draft_of(data)


def _left(mine: DraftFile | None) -> Iterator[LeftDraft]:
    with suppress(OSError):
        for path in sorted(drafts_folder().glob("*.json")):
            is_mine = mine is not None and mine.path == path
            if not is_mine and not _is_free(path):
                continue
            if draft := load_draft(path):
                with suppress(OSError):
                    yield LeftDraft(path, draft, path.stat().st_mtime)


def _is_free(path: Path) -> bool:
    lock = _lock(path)
    if lock is not None and lock >= 0:
        os.close(lock)
    return lock is not None


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock, -1 where there are no locks, None if another process holds it."""
    try:
        descriptor = os.open(_lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return None if error.errno in _HELD_BY_ANOTHER else -1
    return descriptor


def _lock_path(path: Path) -> Path:
    """The lock lies beside: the draft's own file is another one each time it is written."""
    return path.with_suffix(".lock")


def _draft_of(data: Any) -> Draft | None:
    if not isinstance(data, dict) or data.pop("version", None) != _VERSION:
        return None
    if data.keys() != _EXPECTED.keys() or any(
        not isinstance(data[name], kind) for name, kind in _EXPECTED.items()
    ):
        return None
    draft = Draft(**data)
    concepts = draft.tables.get("concept", [])
    is_sound = (
        draft.goal in GOALS and isinstance(concepts, list) and all(isinstance(each, dict) for each in concepts)
    )
    return draft if is_sound else None
