"""Makes the paths of one machine absolute: those of a file begin at its folder, those typed where one stands."""

import os
import re
from pathlib import Path

from trainer_core.config.declare import PathKind
from trainer_core.config.rules import MODEL_SUFFIXES
from trainer_core.on_disk import is_absent, is_utf8
from trainer_core.text import safe_text

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
    path = Path(value)
    if value.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:
            raise PathError("begins with ~, and that home folder is not known; write the whole path") from None
    path = folder / path
    if kind == "model" and _is_hub_id(value) and is_absent(path):
        return value
    whole = os.path.normpath(path.absolute())
    if not is_utf8(whole):
        where = f"begins in {safe_text(folder)}, which" if is_utf8(value) else ""
        raise PathError(f"{where} is not UTF-8, so no configuration can hold it; rename it".lstrip())
    if _VARIABLE.search(value) and is_absent(path):
        raise PathError("names an environment variable; they are not expanded, so write the path itself")
    return whole


def _is_hub_id(value: str) -> bool:
    return _HUB_ID.fullmatch(value) is not None and not value.endswith(MODEL_SUFFIXES)
