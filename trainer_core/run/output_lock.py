"""The lock of a folder of models outside the run: two runs that would write the same files do not both start."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainer_core.config.tables.output import Save
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.flock import HeldError, HeldLock, take
from trainer_core.text import safe_text


@contextmanager
def output_held(save: Save, run: RunDirectory) -> Iterator[None]:
    """Hold the names that `run` writes in save.output_dir, if that is set; the lock file goes away at the end.

    Raises UserError: another run that lives writes models of the same name there (code LOCKED), or the folder
    cannot be written (code DISK).
    """
    if not save.output_dir:
        yield
        return
    folder = Path(save.output_dir)
    path = folder / f".{save.output_name or 'last'}.lock"
    held = _take(path, folder, save, run)
    try:
        yield
    finally:
        _remove(held)


def _take(path: Path, folder: Path, save: Save, run: RunDirectory) -> HeldLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return take(path)
    except HeldError as error:
        holder = error.look.holder
        who = f"process {holder.pid} on {safe_text(holder.host)}" if holder else "another process"
        gone = (
            "" if error.look.standing.is_near else f". If that machine is gone for good, remove {safe_text(path)}"
        )
        problem = (
            f"{who} is training another run that writes its models to {safe_text(folder)} under the same name "
            f'("{safe_text(save.output_name or "last")}"): give {run.name} another save.output_name or '
            f"save.output_dir{gone}"
        )
        raise UserError(problem, ExitCode.LOCKED) from error
    except OSError as error:
        problem = (
            f"{safe_text(folder)} cannot be written ({error.strerror}): set save.output_dir to another folder"
        )
        raise UserError(problem, ExitCode.DISK) from error


def _remove(held: HeldLock) -> None:
    """Remove the file while it is held, so that whoever opened it meanwhile finds it replaced and tries again."""
    with suppress(OSError):
        if held.is_mine():
            held.path.unlink()
    held.release()
