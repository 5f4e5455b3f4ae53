"""The hashes by which programs of the field know a model file; no torch."""

import hashlib
from pathlib import Path

LEGACY_START, LEGACY_LENGTH = 0x100000, 0x10000


def whole_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def legacy_hash(path: Path) -> str:
    """Return the first 8 hex digits of the SHA-256 of 64 KiB at 1 MiB, by which old web UIs know a model."""
    with path.open("rb") as file:
        file.seek(LEGACY_START)
        return hashlib.sha256(file.read(LEGACY_LENGTH)).hexdigest()[:8]
