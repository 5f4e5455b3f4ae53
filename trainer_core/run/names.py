"""Names of runs: what is allowed, and the next one that is free."""

import re
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

MAX_NAME = 64
_RUN_NAME = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,64}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._]+")
_ROOM_FOR_NUMBER = 8


def is_run_name(name: str) -> bool:
    """Tell whether `name` can be a run's folder: 1 to 64 of A-Z a-z 0-9 . _ - and no dot or dash in front."""
    return _RUN_NAME.fullmatch(name) is not None


def check_run_name(name: str) -> str:
    """Return `name`, or raise UserError(CONFIG) that says which names are allowed."""
    if is_run_name(name):
        return name
    raise UserError(
        f'"{safe_text(name, 80)}" cannot be the name of a run: use 1 to {MAX_NAME} of the letters A-Z and a-z, '
        f"digits, and . _ - (not . or - in front), such as {stem_of(name)}-1",
        ExitCode.CONFIG,
    )


def stem_of(*parts: str | None) -> str:
    """Make the stem of a run's name of the parts that are given: ("sls", "frog") -> "sls-frog"; "run" of none."""
    words = (_NOT_IN_A_NAME.sub("-", part).strip("-._") for part in parts if part)
    stem = "-".join(word for word in words if word)
    return stem[: MAX_NAME - _ROOM_FOR_NUMBER].strip("-._") or "run"


def next_free_name(runs_dir: Path, stem: str) -> str:
    """Return `<stem>-N` with N one above the highest that `runs_dir` holds (numbers are never used again)."""
    pattern = re.compile(re.escape(stem) + r"-(\d{1,7})")
    try:
        names = [entry.name for entry in runs_dir.iterdir()]
    except OSError:  # not there yet, or not readable, which creating a run in it will tell
        names = []
    taken = [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
    return f"{stem}-{max(taken, default=0) + 1}"
