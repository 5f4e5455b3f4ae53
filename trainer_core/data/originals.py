"""The picture files as the training found them: a hash of each, and whether one still is what it was. No torch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.data.ahead import map_ahead
from trainer_core.data.duplicates import digest_of
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

Mark = tuple[int, int, int]
"""Inode, size and time of the last change (nanoseconds): while none of them differs, the content does not."""


@dataclass(slots=True)
class Originals:
    """The files at the beginning of this process.

    Attributes:
        digests: SHA-256 of each file's content, in hexadecimal.
        marks: what tells without reading that a file was not touched.
    """

    digests: dict[Path, str]
    marks: dict[Path, Mark | None] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[Path], workers: int) -> "Originals":
        """Read every file once, with `workers` threads.

        Raises:
            UserError: files can no longer be read (code DATASET).
        """
        unique = list(dict.fromkeys(paths))
        marks = {path: _mark(path) for path in unique}  # taken first: a change while hashing is seen later
        digests = dict(map_ahead(digest_of, unique, workers))
        if gone := [path for path, digest in digests.items() if digest is None]:
            problems = [f"{safe_text(path)}: can no longer be read. Put it back, or leave it out" for path in gone]
            raise UserError(problems, ExitCode.DATASET)
        return cls({path: digest.hex() for path, digest in digests.items() if digest is not None}, marks)

    def is_unchanged(self, path: Path) -> bool:
        """Tell whether the file still has its content; it is read only if it was touched. Safe in threads."""
        mark = _mark(path)
        if mark is not None and mark == self.marks.get(path):
            return True
        digest = digest_of(path)
        if digest is None or digest.hex() != self.digests[path]:
            return False
        self.marks[path] = mark
        return True


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
