"""Makes the paths of one machine absolute: those of a file begin at its folder, those typed where one stands."""

import os
import re
from pathlib import Path

from trainer_core.config.declare import PathKind
from trainer_core.config.rules import MODEL_SUFFIXES

_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")


class PathError(ValueError):
    """A path that cannot be meant; the text says why."""


def resolve(value: str, kind: PathKind, folder: Path) -> str:
    """Return `value` as an absolute path, or unchanged if it is a Hub id.

    `owner/name` is a path only if it exists in `folder`; write `./owner/name` to mean a path in any case. A
    leading `~` is the home folder; environment variables are not expanded.

    Raises:
        PathError: it is no path of this machine.
    """
    if not value.isprintable() and any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise PathError("is not UTF-8, so no configuration can hold it; rename it")
    path = Path(value)
    if value.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:
            raise PathError("begins with ~, and that home folder is not known; write the whole path") from None
    path = folder / path
    if kind == "model" and _is_hub_id(value) and not _exists(path):
        return value
    if _VARIABLE.search(value) and not _exists(path):
        raise PathError("names an environment variable; they are not expanded, so write the path itself")
    return os.path.normpath(path.absolute())


def _is_hub_id(value: str) -> bool:
    return _HUB_ID.fullmatch(value) is not None and not value.endswith(MODEL_SUFFIXES)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
