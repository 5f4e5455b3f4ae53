"""The deep check: every picture decoded once, and remembered for as long as the file stays the same."""

import json
import os
from pathlib import Path

import PIL

from trainer_core.data.images import BadPictureError, load_picture

CACHE_VARIABLE = "DBTUI_CACHE_DIR"

_MAX_BYTES = 32 * 1024 * 1024
"""Some 200,000 pictures. A larger memory is started anew instead of being searched for what is stale."""

Key = tuple[str, int, int]
"""Absolute path, size in bytes, modification time in ns."""


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
        self._new: dict[Key, str] = {}

    def problem(self, path: Path) -> str | None:
        """Decode the picture unless it is known; return what is wrong with it, or None. Safe in threads."""
        key = _key(path)
        if key is None:
            return _decode(path)
        if key not in self._known and key not in self._new:
            self._new[key] = _decode(path) or ""
        return self._new.get(key, self._known.get(key)) or None

    def save(self) -> None:
        """Append what is new to the file."""
        lines = [json.dumps({"of": _checked_by(), "key": key, "problem": text}) for key, text in self._new.items()]
        if not lines:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            grown = self._file.exists() and self._file.stat().st_size > _MAX_BYTES
            with self._file.open("w" if grown else "a", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
        except OSError:
            return
        self._known |= self._new
        self._new = {}


def _decode(path: Path) -> str | None:
    try:
        load_picture(path)
    except BadPictureError as error:
        return str(error)
    return None


def _key(path: Path) -> Key | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return str(path.absolute()), about.st_size, about.st_mtime_ns


def _checked_by() -> str:
    """What a verdict depends on besides the file: another Pillow may decode differently."""
    return f"1 {PIL.__version__}"


def _read(file: Path) -> dict[Key, str]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    known: dict[Key, str] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["of"] == _checked_by():
                path, size, modified = entry["key"]
                known[str(path), int(size), int(modified)] = str(entry["problem"])
        except (ValueError, KeyError, TypeError):  # a torn or foreign line
            continue
    return known
