"""Uploads a result with the person's own command, and compares by SHA-256 what has arrived."""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.hooks.command import CommandError, run_command
from trainer_core.hooks.outcome import Outcome
from trainer_core.hooks.user_config import Upload, read_user_config
from trainer_core.hooks.witness import UPLOAD_FAILED
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

_TELL_EVERY = 60.0
_SUM = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])")


def upload_result(
    run: RunDirectory, paths: list[Path], step: int, events: EventWriter, should_stop: Callable[[], bool]
) -> str:
    """Upload the model at `paths` if the person's configuration says how; return what to say of it at the end.

    A failure is a warning event: the model lies in the output folder as without the upload.

    Raises:
        StopRequestedError: `should_stop` said so; the command has been ended.
    """
    try:
        upload = read_user_config().upload
        if upload is None:
            return ""
        events.emit("phase", name="upload", total=None)
        return _upload(upload, run, paths, step, events, should_stop)
    except (UserError, CommandError, OSError) as error:
        text = f"the upload failed ({safe_text(error)}); the model is in {safe_text(paths[0])}"
        events.emit("warning", code=UPLOAD_FAILED, text=text, step=step)
        return "; the upload failed"


def _upload(
    upload: Upload,
    run: RunDirectory,
    paths: list[Path],
    step: int,
    events: EventWriter,
    should_stop: Callable[[], bool],
) -> str:
    started = time.monotonic()
    outputs = tuple(str(path) for path in paths)
    should_stop = _told_every_minute(should_stop, events)
    told = Outcome(run, "done", int(ExitCode.DONE), step, None, "the model is saved", outputs)
    files = _files_of(paths)
    run_command(
        upload.command, told.environment("upload"), run.path, upload.timeout_minutes, should_stop=should_stop
    )
    if upload.verify:
        events.emit("progress", phase="upload", done=0, total=None, text="asking what has arrived")
        said = run_command(
            upload.verify,
            told.environment("verify"),
            run.path,
            upload.timeout_minutes,
            should_stop=should_stop,
            capture=True,
        )
        _compare(files, said)
    events.emit(
        "uploaded",
        step=step,
        by="command",
        verified=upload.verify is not None,
        files=len(files),
        bytes=sum(file.stat().st_size for file in files),
        seconds=round(time.monotonic() - started, 3),
    )
    return "; uploaded and verified" if upload.verify else "; uploaded, but not verified (no upload.verify)"


def _told_every_minute(should_stop: Callable[[], bool], events: EventWriter) -> Callable[[], bool]:
    """Return `should_stop`, which is asked often meanwhile, such that viewers hear of a long upload."""
    started = told = time.monotonic()

    def ask() -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TELL_EVERY:
            told = now
            text = f"uploading for {(now - started) / 60:.0f} min"
            events.emit("progress", phase="upload", done=0, total=None, text=text)
        return should_stop()

    return ask


def _files_of(paths: list[Path]) -> list[Path]:
    return [
        file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.is_file()
    ]


def _compare(files: list[Path], said: str) -> None:
    """Find the SHA-256 of each file among those that `said` names.

    Raises:
        CommandError: one is missing.
    """
    arrived = {found.lower() for found in _SUM.findall(said)}
    missing = [file.name for file in files if _sha256(file) not in arrived]
    if missing:
        found = (
            f"upload.verify told {len(arrived)} SHA-256 sums" if arrived else "upload.verify told no SHA-256 sum"
        )
        raise CommandError(f"{found}, and that of {safe_text(', '.join(missing[:4]))} is not among them")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
