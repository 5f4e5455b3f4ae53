"""Where a run's logs lie, and under which name: the same ones after a resume."""

import json
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Log
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory

RECORD = "log.json"
_STAMP = re.compile(r"\d{14}(-\d+)?")
"""A date and time, as peers name a log: YYYYmmddHHMMSS."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The folder of a run's logs, which exists, and what a server shall call the log."""

    folder: Path
    id: str


def log_place(run: RunDirectory, log: Log) -> LogPlace:
    """Return the place of `run`'s logs: `<log.dir>/<log.prefix><time>`, made now or when the run began.

    The name and a random id are kept in the run's folder. Another prefix or folder begins another log. Raises
    OSError if the folder cannot be made.
    """
    base = Path(log.dir) if log.dir else run.path / "logs"
    prefix = log.prefix or ""
    known = _known(run)
    if known and known[0].startswith(prefix) and _STAMP.fullmatch(known[0].removeprefix(prefix)):
        (base / known[0]).mkdir(parents=True, exist_ok=True)
        return LogPlace(base / known[0], known[1])
    place = LogPlace(_new_folder(base, prefix + time.strftime("%Y%m%d%H%M%S")), secrets.token_hex(6))
    write_text(run.path / RECORD, json.dumps({"name": place.folder.name, "id": place.id}) + "\n")
    return place


def _known(run: RunDirectory) -> tuple[str, str] | None:
    try:
        record = json.loads((run.path / RECORD).read_text(encoding="utf-8"))
        name, id_ = record["name"], record["id"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return (name, id_) if isinstance(name, str) and isinstance(id_, str) else None


def _new_folder(base: Path, name: str) -> Path:
    """Make the folder `name`, or `name-2` and so on where another run began a log in the same second."""
    base.mkdir(parents=True, exist_ok=True)
    number, folder = 1, base / name
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = base / f"{name}-{number}"
        else:
            return folder
