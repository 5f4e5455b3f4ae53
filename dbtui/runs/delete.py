"""Remove a run for good: its previews, checkpoints and models."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire
from trainer_core.run.names import is_run_name
from trainer_core.text import safe_text

_DOOMED = ".deleting-"
"""Put before the name while the files go, so that what is left after a crash is no run."""


def delete_run(run: RunDirectory, runs_dir: Path) -> None:
    """Remove the folder of a run that nobody trains. Links in it are removed, never what they lead to.

    Raises:
        UserError: a trainer has it (code LOCKED), it is no folder of `runs_dir` itself (code CONFIG), or it cannot
            be removed (code DISK).
    """
    refuse_outside(run, runs_dir)
    lock = acquire(run)
    doomed = run.path.with_name(_DOOMED + run.name)
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        run.path.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise UserError(f"{run.name} cannot be removed: {safe_text(error)}", ExitCode.DISK) from error
    finally:
        lock.release()


def refuse_outside(run: RunDirectory, runs_dir: Path) -> None:
    """Raise UserError(CONFIG) unless the run is a folder in the folder of runs, and no link to one elsewhere."""
    if run.path.is_symlink():
        where = safe_text(run.path.readlink())
        text = f"{run.name} is a link to {where}: remove the link, and that folder, yourself"
        raise UserError(text, ExitCode.CONFIG)
    is_inside = run.path.parent == runs_dir.absolute() and is_run_name(run.name) and run.path.is_dir()
    if not is_inside:
        text = f"{safe_text(run.path)} is no folder in {safe_text(runs_dir)}: it is left alone"
        raise UserError(text, ExitCode.CONFIG)


def size_of(run: RunDirectory) -> int:
    """Return the bytes that a run's own files take; links are not followed, what cannot be read is left out."""
    total = 0
    for folder, _, names in os.walk(run.path):
        for name in names:
            with suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total
