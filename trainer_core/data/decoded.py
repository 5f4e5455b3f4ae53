"""The deep check: every picture decoded and measured once, and remembered by its content, wherever a copy lies."""

import json
import os
from pathlib import Path
from typing import Any

import PIL

from trainer_core.data.duplicates import digest_of
from trainer_core.data.images import BadPictureError, load_picture
from trainer_core.data.quality import Look, measure
from trainer_core.on_disk import is_file

CACHE_VARIABLE = "DBTUI_CACHE_DIR"

_MAX_BYTES = 32 * 1024 * 1024
"""Some 150,000 pictures. A larger memory is started anew instead of being searched for what is stale."""


def cache_folder() -> Path:
    """The folder for what can be computed again: `DBTUI_CACHE_DIR`, or the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("dbtui"))


class DecodedStore:
    """Which pictures were decoded already, with what came of it. One JSON line each, in the cache folder.

    A memory that cannot be read or written is an empty one: it saves time and decides nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "decoded.jsonl"
        self._known = _read(self._file)
        self._new: dict[str, Look | str] = {}

    def look(self, path: Path) -> Look | str:
        """Decode the picture unless its content is known; return its look, or what is wrong. Safe in threads."""
        content = _content_of(path)
        known = self._new.get(content, self._known.get(content))
        if known is not None:
            return known
        look = _decode(path)
        if content and content == _content_of(path):  # else it was changed, or could not be read, meanwhile
            self._new[content] = look
        return look

    def save(self) -> None:
        """Append what is new to the file."""
        lines = [
            json.dumps({"of": _checked_by(), "sha256": key, **_entry(look)}) for key, look in self._new.items()
        ]
        if not lines:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            grown = is_file(self._file) and self._file.stat().st_size > _MAX_BYTES
            with self._file.open("w" if grown else "a", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
        except OSError:
            return
        self._known |= self._new
        self._new = {}


def _decode(path: Path) -> Look | str:
    try:
        return measure(load_picture(path))
    except BadPictureError as error:
        return str(error)


def _entry(look: Look | str) -> dict[str, Any]:
    if isinstance(look, str):
        return {"problem": look}
    return {"sharpness": look.sharpness, "likeness": f"{look.likeness:x}"}


def _look(entry: dict[str, Any]) -> Look | str:
    """Read what `_entry` made; raises KeyError, TypeError or ValueError if it is something else."""
    if "problem" in entry:
        return str(entry["problem"])
    return Look(float(entry["sharpness"]), int(entry["likeness"], 16))


def _content_of(path: Path) -> str:
    """Return the SHA-256 of the file in hexadecimal; empty if it cannot be read. Far cheaper than decoding."""
    digest = digest_of(path)
    return "" if digest is None else digest.hex()


def _checked_by() -> str:
    """What a verdict depends on besides the file: how it is measured, and Pillow, which may decode differently."""
    return f"3 {PIL.__version__}"


def _read(file: Path) -> dict[str, Look | str]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    known: dict[str, Look | str] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["of"] == _checked_by():
                known[str(entry["sha256"])] = _look(entry)
        except (ValueError, KeyError, TypeError):  # a torn or foreign line
            continue
    return known
