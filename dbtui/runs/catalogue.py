"""The runs of a folder, looked at again and again: cheap, however many there are and however long they trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dbtui.runs.find import find_runs
from dbtui.runs.summary import Outline, RunSummary, summarize
from trainer_core.run.directory import RunDirectory

_AT_ONCE = 0.15
"""Seconds of looking after which what is known so far is told."""
Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass
class _Known:
    """What the last look at a run found."""

    signature: Signature
    outline: Outline
    summary: RunSummary


class Catalogue:
    """Remembers what was found, and reads again only runs that live or whose files changed.

    Attributes:
        names: of all runs, the newest first; one that was not looked at yet has no summary.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self.names: list[str] = []
        self._known: dict[str, _Known] = {}

    def summary(self, name: str) -> RunSummary | None:
        """Return what is known of a run; any thread may ask while another one looks."""
        known = self._known.get(name)
        return known.summary if known else None

    def look(self) -> Iterator[None]:
        """Look at all runs; what is known may be told at each yield, and is complete after the last."""
        runs = find_runs(self.runs_dir)
        self.names = [run.name for run in runs]
        self._known = {name: self._known[name] for name in self.names if name in self._known}
        told = monotonic()
        for run in runs:
            self._look_at(run)
            if monotonic() - told > _AT_ONCE:
                yield
                told = monotonic()

    def _look_at(self, run: RunDirectory) -> None:
        known = self._known.get(run.name)
        signature = tuple(_signature(path) for path in (run.run_toml, run.events, run.lock, run.checkpoints))
        if known and known.signature == signature and not known.summary.lives:
            return
        is_same = known is not None and known.signature[0] == signature[0]
        outline = known.outline if known and is_same else Outline(run.events)
        self._known[run.name] = _Known(signature, outline, summarize(run, outline))


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
