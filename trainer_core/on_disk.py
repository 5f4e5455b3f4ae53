"""What lies where a person's path points. Nothing raises: a name too long, a closed folder are told in words."""

import errno
import os
from pathlib import Path

MAX_NAME_BYTES = 255
"""Of one file or folder, on every file system in use."""

_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def is_folder(path: str | Path) -> bool:
    """Whether a folder can be seen at `path`."""
    return os.path.isdir(path)  # noqa: PTH112 - never raises, as Path.is_dir may


def is_file(path: str | Path) -> bool:
    """Whether a regular file can be seen at `path`."""
    return os.path.isfile(path)  # noqa: PTH113 - never raises, as Path.is_file may


def exists(path: str | Path) -> bool:
    """Whether anything can be seen at `path`; a link that leads nowhere is something too."""
    return os.path.lexists(path)


def is_absent(path: str | Path) -> bool:
    """Whether nothing lies at `path` for certain: where looking is not allowed, something may."""
    try:
        os.stat(path)  # noqa: PTH116 - of text too
    except OSError as error:
        return error.errno in _NOTHING_THERE
    except ValueError:  # a NUL, or a character that no name can hold
        return True
    return False


def why_not_there(path: str | Path) -> str:
    """Return why neither a file nor a folder is found at `path`, with the next action."""
    try:
        os.stat(path)  # noqa: PTH116 - of text too
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "there is no such file or folder; check the path"
    except PermissionError:
        return "cannot be looked at (Permission denied); check the permissions of the folders that it lies in"
    except OSError as error:
        return f"cannot be looked at ({error.strerror or error}); check the path"
    return "is neither a file nor a folder; check the path"


def why_closed(folder: Path) -> str | None:
    """Return why the content of an existing folder cannot be seen, with the next action; None if it can."""
    try:
        with os.scandir(folder):
            is_open = os.access(folder, os.X_OK)  # else its files have names and nothing more
    except OSError as error:
        return f"cannot be read ({error.strerror or error}); check its permissions"
    return None if is_open else "cannot be entered (Permission denied); check its permissions"


def from_home(named: str) -> Path:
    """Return the path with a leading `~` expanded; an unknown `~user` stays as it is and so does not exist."""
    return Path(os.path.expanduser(named))  # noqa: PTH111 - Path.expanduser raises there


def is_utf8(path: object) -> bool:
    """Whether a name, or text of a command line, is UTF-8: other bytes are kept as lone surrogates."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
