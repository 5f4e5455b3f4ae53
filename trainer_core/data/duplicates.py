"""Files that are exact copies of each other."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from trainer_core.on_disk import is_file


def find_copies(paths: Iterable[Path], pool: Executor) -> list[Path]:
    """List the files whose content occurs earlier in `paths`. Only files of equal length are read.

    A file that can no longer be read is passed over: whoever trains on it will say so.
    """
    by_length: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        with suppress(OSError):
            by_length[path.stat().st_size].append(path)
    candidates = [path for group in by_length.values() if len(group) > 1 for path in group]
    seen: set[bytes] = set()
    copies = []
    for path, digest in zip(candidates, pool.map(digest_of, candidates), strict=True):
        if digest is None:
            continue
        if digest in seen:
            copies.append(path)
        seen.add(digest)
    return copies


def digest_of(path: Path) -> bytes | None:
    """Return the SHA-256 of a file's content; None if it cannot be read, or is no regular file."""
    if not is_file(path):  # a pipe would wait for ever
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
