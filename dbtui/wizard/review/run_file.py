"""The run file on disk, and the command that trains it without the wizard."""

import os
import shlex
from pathlib import Path

from dbtui.cli.alone import DEFAULT_RUNS_DIR
from dbtui.presets.library import SUFFIX, find_text
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.toml_file import LARGEST_FILE
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import from_home, is_absent, is_folder
from trainer_core.run.atomic import write_text
from trainer_core.text import safe_text


class TakenError(UserError):
    """There is a file of that name already."""


def place_of(typed: str, folder: Path) -> Path:
    """Return the file that a typed name means: `.toml` is added, `~` is the home folder.

    Raises:
        UserError: it names none.
    """
    name = typed.strip()
    if not name or name.endswith("/"):
        raise _problem("type a name for the file")
    return Path(os.path.normpath(folder / from_home(name if name.endswith(SUFFIX) else name + SUFFIX)))


def write_run_file(path: Path, text: str, config: Config, *, replace: bool = False) -> None:
    """Write the run file, which reads back as `config`.

    Raises:
        TakenError: there is a file of that name, with something else in it, and `replace` is not set.
        UserError: it cannot be written there, or would not train the same.
    """
    shown = safe_text(path)
    if not is_absent(path) and not holds(path, text):
        if not path.is_file():
            raise _problem(f"{shown} is not a file: choose another name")
        if not replace:
            raise TakenError(f"{shown} exists already", ExitCode.CONFIG)
    if not is_folder(path.parent):
        raise _problem(f"{safe_text(path.parent)} is not a folder: make it first, or choose another")
    _check(path, text, config)
    try:
        write_text(path, text)
    except OSError as error:
        why = safe_text(error.strerror or error)
        raise UserError(f"{shown} cannot be written ({why}): choose another folder", ExitCode.DISK) from error


def write_somewhere(folder: Path, name: str, text: str, config: Config) -> Path:
    """Write the run file as `<name>.toml`, or `<name>-2.toml` and so on where others have that name.

    Raises:
        UserError: it cannot be written there.
    """
    number = 1
    while True:
        path = folder / (f"{name}{SUFFIX}" if number == 1 else f"{name}-{number}{SUFFIX}")
        try:
            write_run_file(path, text, config)
        except TakenError:
            number += 1
        else:
            return path


def headless_command(path: Path, *, name: str, runs_dir: Path) -> str:
    """Return the command that trains the file, for a shell in any folder."""
    words = ["dbtui", "run", str(path.absolute())]
    if name:
        words += ["--name", name]
    if runs_dir != DEFAULT_RUNS_DIR:
        words += ["--runs-dir", str(runs_dir.absolute())]
    return shlex.join(words)


def holds(path: Path, text: str) -> bool:
    """Tell whether the file is there and holds just that."""
    try:
        return path.stat().st_size <= 2 * LARGEST_FILE and path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _check(path: Path, text: str, config: Config) -> None:
    """Make sure that the file means there what is shown here."""
    read = parse_config(text, path.name, folder=path.parent, find_preset=find_text)
    if read != config:
        raise _problem(
            f"{safe_text(path)} would not mean the same there (is model.base a Hub id, and a folder of that name"
            " beside the file?): choose another folder"
        )


def _problem(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
