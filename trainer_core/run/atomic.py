"""Files and folders that appear whole or not at all, also after a power cut."""

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAGING_PREFIX = ".tmp-"
_STRAY = re.compile(rf"{re.escape(STAGING_PREFIX)}(.+?)(-old)?-[0-9a-f]{{12}}")


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write a file or folder to; on success it is fsynced and takes its place.

    On an error what was staged is removed and `target` is left as it was. An existing file is replaced in one
    step; an existing folder is moved aside first and removed after the new one stands.
    """
    staging = _beside(target)
    try:
        yield staging
        _sync_tree(staging)
        if staging.is_dir() and target.is_dir():
            _replace_folder(staging, target)
        else:
            staging.replace(target)
        sync_folder(target.parent)
    except BaseException:
        _remove(staging)
        raise


def write_text(target: Path, text: str) -> None:
    """Write `text` to `target` as UTF-8, whole or not at all."""
    with staged(target) as staging:
        staging.write_text(text, encoding="utf-8", errors="surrogateescape")


def discard(path: Path) -> None:
    """Remove a file or folder so that a kill in between leaves nothing half under its name. Raises OSError."""
    aside = _beside(path)
    path.replace(aside)
    sync_folder(path.parent)
    _remove(aside)


def remove_strays(folder: Path, is_mine: Callable[[str], bool] = bool) -> list[Path]:
    """Remove what an interrupted write left in `folder`; return what was removed.

    `is_mine` tells of the name that a stray was to have whether it may go, where others write into the folder too.
    A folder that was moved aside for one that then did not come gets its name back.
    """
    removed = []
    for stray in folder.glob(f"{STAGING_PREFIX}*") if folder.is_dir() else ():
        known = _STRAY.fullmatch(stray.name)
        name = known[1] if known else stray.name
        if not is_mine(name):
            continue
        if known and known[2] and not (folder / name).exists():
            with suppress(OSError):
                stray.replace(folder / name)
            continue
        _remove(stray)
        removed.append(stray)
    return removed


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _beside(target: Path, what: str = "") -> Path:
    return target.parent / f"{STAGING_PREFIX}{target.name}{what}-{uuid.uuid4().hex[:12]}"


def _sync_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _sync_tree(child)
        sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _replace_folder(staging: Path, target: Path) -> None:
    aside = _beside(target, "-old")
    target.replace(aside)
    try:
        staging.replace(target)
    except BaseException:
        aside.replace(target)
        raise
    sync_folder(target.parent)
    _remove(aside)


def _remove(path: Path) -> None:
    """Remove what may be there; on a file system that became read-only it stays."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
