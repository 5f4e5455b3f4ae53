"""Reads TOML that anyone may have written: bounded in size and time, every failure one message."""

import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

LARGEST_FILE = 64 * 1024
"""Bytes. The longest sensible file has a few thousand."""

_MOST_DOTS = 128
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_text(path: Path) -> str:
    """Return the text of a configuration file; UTF-8, with or without a byte order mark.

    Raises:
        UserError: it cannot be read, is no regular file, is too large, or is not UTF-8.
    """
    shown = safe_text(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _error(shown, "is not a file; name a .toml file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _error(shown, "does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _error(shown, f"cannot be read ({safe_text(reason)}); check the path and its permissions") from None
    if len(content) > LARGEST_FILE:
        raise _too_large(shown)
    return _decode(content, shown)


def parse_toml(text: str, shown: str) -> dict[str, Any]:
    """Return the tables of `text`; `shown` names it in messages and is safe already.

    Raises:
        UserError: it is not TOML, is too large, or is nested too deeply.
    """
    if len(text) > LARGEST_FILE:
        raise _too_large(shown)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:  # tomllib takes quadratic time over the parts of a dotted key
            raise _error(shown, f"line {number} has more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise _error(shown, _rephrased(str(error), text)) from None
    except RecursionError:
        raise _error(shown, "is nested too deeply") from None
    except ValueError:
        raise _error(shown, "has a whole number with thousands of digits") from None


def _decode(content: bytes, shown: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _error(shown, "is UTF-16 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(shown, f"line {line} is not UTF-8 text; save the file as UTF-8") from None


def _rephrased(message: str, text: str) -> str:
    found = _POSITION.search(message)
    what = safe_text(_POSITION.sub("", message), limit=120)
    if found and found[1]:
        where = f"line {found[1]}, column {found[2]}"
    else:  # "at end of document" is where the last line ends
        last = text.rstrip().count("\n") + 1
        where = f"line {last}"
    if what == "Cannot overwrite a value":
        return f"{where}: this setting is named a second time; remove one of the two lines"
    if what.startswith("Cannot declare") and what.endswith("twice"):
        return f"{where}: this table is opened a second time; put its settings together"
    hint = " (write a Windows path in single quotes)" if "hex value" in what or "Unescaped" in what else ""
    return f"{where}: not valid TOML: {what[:1].lower()}{what[1:]}{hint}"


def _too_large(shown: str) -> UserError:
    return _error(shown, f"is larger than {LARGEST_FILE // 1024} KB, which no configuration file is")


def _error(shown: str, text: str) -> UserError:
    separator = ": " if text.startswith("line ") else " "
    return UserError(f"{shown}{separator}{text}", ExitCode.CONFIG)
