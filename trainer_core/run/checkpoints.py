"""The folder of a run's checkpoints: which are whole, which is the newest, and which may go.

A checkpoint is a folder named after its step, such as 000500. It counts if its manifest, which is written last,
has the size and SHA-256 of each of its files. The order is that of the steps: times of files mean nothing, since
clocks are set back.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from trainer_core.run.atomic import discard
from trainer_core.run.checkpoint_format import STATE, refuse_newer
from trainer_core.text import safe_text

KEPT = 2
MANIFEST = "manifest.json"
WEIGHTS, OPTIMIZER = "weights.safetensors", "optimizer.safetensors"
FILES = (WEIGHTS, OPTIMIZER, STATE)
"""What every checkpoint holds besides its manifest."""
_CHUNK = 8 << 20
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a checkpoint that is not whole raises."""


class Fingerprint(TypedDict):
    """What a manifest says of a file."""

    bytes: int
    sha256: str


class StoppedCheckingError(Exception):
    """The verification was ended before its end."""


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, by step, oldest first, damaged ones too."""
    named = [path for path in folder.glob("[0-9]*") if path.is_dir() and path.name.isdecimal()]
    return sorted(named, key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the step of the checkpoint at this path."""
    return int(checkpoint.name)


def newest_valid(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint in `folder` whose every byte verifies, and why newer ones were passed over.

    Raises UserError(RESUME) where a newer dbtui wrote the newest: going on from an older one would drop its work.
    """
    passed_over = []
    for path in reversed(checkpoints(folder)):
        refuse_newer(path)
        try:
            verified_manifest(path)
        except DAMAGE as error:
            passed_over.append(f"{safe_text(path)} is damaged ({safe_text(error)})")
        else:
            return path, passed_over
    return None, passed_over


def verified_manifest(path: Path, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Fingerprint]:
    """Return the manifest of the checkpoint at `path` after reading every file from the disk.

    Raises:
        OSError: a file is missing, short or altered, or the manifest does not name it.
        StoppedCheckingError: `should_stop` returned True.
    """
    manifest = read_manifest(path)
    for name, expected in manifest.items():
        if _fingerprint(path / name, should_stop) != expected:
            raise OSError(f"{name} differs from its manifest")
    return manifest


def read_manifest(path: Path) -> dict[str, Fingerprint]:
    """Return the manifest of the checkpoint at `path`; OSError or ValueError if it is not a whole one."""
    manifest: dict[str, Fingerprint] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    if missing := [name for name in FILES if name not in manifest]:
        raise OSError(f"{missing[0]} is not in its manifest")
    if odd := [name for name in manifest if name not in FILES]:
        raise OSError(f"its manifest names {safe_text(odd[0], 80)}")
    return manifest


def looks_whole(path: Path) -> bool:
    """Tell whether every file of the manifest is there in its size; hashing them at each save takes long."""
    try:
        return all((path / name).stat().st_size == entry["bytes"] for name, entry in read_manifest(path).items())
    except DAMAGE:
        return False


def prune(folder: Path, newest: Path, damaged: Collection[str] = ()) -> None:
    """Remove all but `KEPT` whole checkpoints up to `newest`, which has been verified, and those named `damaged`.

    Those after `newest` stay if they are not known to be damaged. What cannot be removed stays too, and so does
    nothing half: each is renamed before its files go.
    """
    present = [path for path in checkpoints(folder) if path.name in damaged or step_of(path) <= step_of(newest)]
    whole = [path for path in present if path.name not in damaged and looks_whole(path)]
    for path in present:
        if path not in whole[-KEPT:]:
            with suppress(OSError):
                discard(path)


def _fingerprint(file: Path, should_stop: Callable[[], bool]) -> Fingerprint:
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(_CHUNK))
    with file.open("rb", buffering=0) as opened:
        if hasattr(os, "posix_fadvise"):  # what was just written is read from the disk, not from memory
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while count := opened.readinto(buffer):
            digest.update(buffer[:count])
            size += count
            if should_stop():
                raise StoppedCheckingError
    return {"bytes": size, "sha256": digest.hexdigest()}
