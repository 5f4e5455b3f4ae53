"""Pictures that are exact or near copies of each other."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from trainer_core.on_disk import is_file

MOST_BITS = 10
"""Hashes of copies that were resized, compressed or made lighter differ in up to so many of 128 bits; those of
different pictures in 25 (two views of one scene) and more."""

_LEAST_SHARE = 3
_LEAST_DETAIL = 16
"""Bits that one of two pictures must have set; with fewer there is nothing to compare."""


def find_copies(paths: Iterable[Path], pool: Executor) -> dict[Path, Path]:
    """Map each file whose content occurs earlier in `paths` to the first of its kind.

    Only files of equal length are read. One that can no longer be read is passed over: whoever trains on it will
    say so.
    """
    by_length: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        with suppress(OSError):
            by_length[path.stat().st_size].append(path)
    candidates = [path for group in by_length.values() if len(group) > 1 for path in group]
    first: dict[bytes, Path] = {}
    copies = {}
    for path, digest in zip(candidates, pool.map(digest_of, candidates), strict=True):
        if digest is None:
            continue
        if digest in first:
            copies[path] = first[digest]
        else:
            first[digest] = path
    return copies


def find_near_copies(likenesses: Mapping[Path, int]) -> dict[Path, Path]:
    """Map each picture that nearly looks like an earlier one to the first such one.

    Args:
        likenesses: the hash (`quality.likeness`) of each picture; no two of them exact copies.
    """
    masks = [sum(1 << place for place in range(band, 128, MOST_BITS + 1)) for band in range(MOST_BITS + 1)]
    seen: dict[Hashable, list[Path]] = defaultdict(list)  # of MOST_BITS + 1 parts, near hashes share one at least
    order = {path: number for number, path in enumerate(likenesses)}
    copies = {}
    for path, likeness in likenesses.items():
        parts = [(band, likeness & mask) for band, mask in enumerate(masks)]
        near = {other for part in parts for other in seen[part] if _is_near(likeness, likenesses[other])}
        if near:
            copies[path] = min(near, key=order.__getitem__)
        for part in parts:
            seen[part].append(path)
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


def _is_near(one: int, other: int) -> bool:
    """Few bits differ, also measured by those that are set: a plain picture has few that could."""
    detail, differing = (one | other).bit_count(), (one ^ other).bit_count()
    return differing <= MOST_BITS and _LEAST_SHARE * differing <= detail and detail >= _LEAST_DETAIL
