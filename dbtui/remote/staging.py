"""The near side of a fetch: files are gathered beside the run's place, and take it when all are verified."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dbtui.remote.listing import FETCHED_JSON, LINES, RemoteFile
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import sync_folder
from trainer_core.run.lines import cut_torn_line
from trainer_core.text import safe_text

_CHUNK = 1 << 20


class Staging:
    """A folder beside `target`, named after it, in which an interrupted fetch finds what it had."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.parent / f".fetch-{target.name}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other fetches away. Raises UserError with LOCKED or DISK."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            text = f"{safe_text(self.folder)} cannot be made ({error.strerror}): name another DEST"
            raise UserError(text, ExitCode.DISK) from error
        try:
            self._lock(descriptor)
            try:
                yield
            finally:
                with suppress(OSError):
                    self.folder.rmdir()  # if nothing was gathered
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"{safe_text(self.target)} is being fetched by another dbtui: wait for it"
            raise UserError(text, ExitCode.LOCKED) from None
        except OSError:  # a file system without locks on folders, such as NFS
            return

    def staged(self, file: RemoteFile) -> Path:
        """Return where the file is gathered."""
        return self.folder / file.name

    def size_so_far(self, file: RemoteFile) -> int:
        """Return how many bytes of the file were gathered; one that is too long begins anew."""
        size = _size(self.staged(file))
        return size if size is not None and size <= file.size else 0

    def candidate(self, file: RemoteFile) -> Path | None:
        """Return what may be this very file: gathered before, or in the run's place; None if nothing is."""
        for path in self.places(file.name):
            if _size(path) == file.size:
                return path
        return None

    def open(self, file: RemoteFile, offset: int) -> "Gathering":
        """Open the file to go on from `offset`."""
        path = self.staged(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Gathering(path, offset)

    def drop(self, file: RemoteFile) -> None:
        """Forget what was gathered of the file."""
        self.staged(file).unlink(missing_ok=True)

    def places(self, name: str) -> tuple[Path, Path]:
        """Return where a file of the run may lie here: gathered, or in the run's place."""
        return self.folder / name, self.target / name

    def finish(self, files: list[RemoteFile]) -> None:
        """See these files safe on the disk, and remove what earlier fetches gathered besides."""
        for file in files:
            if (path := self.staged(file)).exists():
                _finish(path, file)
        self._remove_unknown({file.name for file in files})

    def put_in_place(self, files: list[RemoteFile]) -> None:
        """Let what was gathered of these files take its place; a run that is not there yet appears whole."""
        if not self.target.exists():
            self.folder.replace(self.target)
            sync_folder(self.target.parent)
            return
        names = [file.name for file in files if file.name != "events.jsonl"]
        for name in (*names, "events.jsonl", FETCHED_JSON):  # the events name the others
            if (path := self.folder / name).exists():
                self._replace(path, self.target / name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _replace(self, path: Path, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(self.target.resolve()):
            text = f"{safe_text(place.parent)} is a link that leads out of the run: remove it, then fetch again"
            raise UserError(text, ExitCode.DISK)
        path.replace(place)
        sync_folder(place.parent)

    def _remove_unknown(self, names: set[str]) -> None:
        """Remove what an earlier fetch gathered and the other side has no longer."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):
                    path.rmdir()  # if it is empty
            elif str(path.relative_to(self.folder)) not in names:
                path.unlink()


class Gathering:
    """A file that is being written from an offset on; a context."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666), "r+b")
        self._file.truncate(offset)
        self._file.seek(offset)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)

    def __enter__(self) -> "Gathering":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finish(path: Path, file: RemoteFile) -> None:
    """Cut a line that was not whole yet, give the file its time, and see it on the disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if file.name in LINES:
            cut_torn_line(descriptor)
        os.utime(descriptor, (file.changed, file.changed))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
