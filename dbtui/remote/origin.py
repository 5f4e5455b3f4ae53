"""Where a run that was fetched came from, and how it stood then: fetched.json in its folder."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from dbtui.remote.listing import FETCHED_JSON
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory


@dataclass(frozen=True)
class Origin:
    """What is known of a fetched run besides its own files.

    Attributes:
        target: what names it, such as "user@host:path".
        place: who and where, "user@host".
        time: when it was fetched, in seconds since the epoch.
        status: how it stood then (`dbtui.dashboard.status`).
        events_bytes: size of its events then; what is more was written here.
        is_verified: whether every file was compared by SHA-256.
    """

    target: str
    place: str
    time: float
    status: str
    events_bytes: int
    is_verified: bool = True

    def write(self, run: RunDirectory) -> None:
        """Write it beside the run's files."""
        write_text(run.path / FETCHED_JSON, json.dumps(asdict(self), indent=2) + "\n")

    def is_copy(self, run: RunDirectory) -> bool:
        """Tell whether the run is what was fetched, and was not trained here since."""
        try:
            return run.events.stat().st_size == self.events_bytes
        except OSError:
            return self.events_bytes == 0


def read_origin(run: RunDirectory) -> Origin | None:
    """Return where a run was fetched from; None if it was not."""
    try:
        data: Any = json.loads((run.path / FETCHED_JSON).read_bytes())
        return Origin(
            target=str(data["target"]),
            place=str(data["place"]),
            time=float(data["time"]),
            status=str(data["status"]),
            events_bytes=int(data["events_bytes"]),
            is_verified=data.get("is_verified") is True,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def is_live_copy(run: RunDirectory, live: frozenset[str]) -> bool:
    """Tell whether a run was fetched while it stood in a `live` way, and nothing was added here since."""
    origin = read_origin(run)
    return origin is not None and origin.status in live and origin.is_copy(run)
