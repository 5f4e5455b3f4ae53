"""Where a new preset is written; a file that is there is never overwritten."""

from pathlib import Path

from dbtui.presets.library import SUFFIX, user_folder
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_absent, is_folder
from trainer_core.text import safe_text


def place_of(name: str, output: Path | None) -> Path:
    """Return the file of a new preset: `output`, or inside it if that is a folder, else one's own folder.

    Raises:
        UserError: the file has another name than the preset, so that it would not be found by it, or is there.
    """
    path = user_folder() / f"{name}{SUFFIX}" if output is None else output
    if output is not None and is_folder(output):
        path = output / f"{name}{SUFFIX}"
    shown = safe_text(path)
    if path.name != f"{name}{SUFFIX}":
        text = f"{shown} would be found as another preset: name the file {name}{SUFFIX}, or give its folder"
        raise UserError(text, ExitCode.CONFIG)
    if not is_absent(path):
        raise _taken(path)
    return path


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, with its folder.

    Raises:
        UserError: it came to be in the meantime, or cannot be written.
    """
    is_mine = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            is_mine = True
            file.write(text)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if is_mine:
            path.unlink(missing_ok=True)
        why = safe_text(error.strerror or error)
        text = f"{safe_text(path)} cannot be written ({why}): choose another place with -o"
        raise UserError(text, ExitCode.DISK) from error


def _taken(path: Path) -> UserError:
    text = f"{safe_text(path)} is there already and is not overwritten: choose another name, or remove it"
    return UserError(text, ExitCode.CONFIG)
