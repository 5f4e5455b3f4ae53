"""The runs of a folder, the newest first, and the one that a person means."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.state import Event, RunState, fold
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_file
from trainer_core.run.directory import RunDirectory, open_run
from trainer_core.run.lines import decode_line
from trainer_core.run.lock import is_alive
from trainer_core.run.names import is_run_name
from trainer_core.text import safe_text

RunStatus = Literal["running", "done", "stopped", "failed", "interrupted", "not started"]

_WHOLE = 2 << 20
_END = 256 << 10


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs. Interrupted: the trainer is gone and did not say why."""

    run: RunDirectory
    status: RunStatus
    state: RunState
    total_steps: int | None
    changed: float
    """Time of its last event, or of its creation; seconds since the epoch."""


def find_runs(runs_dir: Path) -> list[RunDirectory]:
    """Return the runs of a folder, the newest first."""
    try:
        entries = [entry for entry in runs_dir.iterdir() if is_run_name(entry.name)]
    except OSError:
        return []
    runs = [RunDirectory(entry.absolute()) for entry in entries if is_file(entry / "run.toml")]
    return sorted(runs, key=lambda run: run.run_toml.stat().st_mtime, reverse=True)


def summarize(run: RunDirectory) -> RunSummary:
    """Look at one run. Of a very long event file only the beginning and the end are read."""
    lives = is_alive(run)
    state = fold(_outline(run.events))
    try:
        created = run.run_toml.stat().st_mtime
    except OSError:
        created = 0.0
    total = state.total_steps or read_facts(run).max_steps
    return RunSummary(run, _status(state, lives), state, total, state.t or created)


def choose_run(runs_dir: Path, wanted: str | None) -> RunDirectory:
    """Return the run named `wanted` (or at that path); without it the newest live one, else the newest.

    Raises UserError(CONFIG) if there is none.
    """
    if wanted is None:
        runs = find_runs(runs_dir)
        if not runs:
            raise UserError(f"there are no runs in {safe_text(runs_dir)}", ExitCode.CONFIG)
        return next((run for run in runs if is_alive(run)), runs[0])
    if is_run_name(wanted) and is_file(runs_dir / wanted / "run.toml"):
        return RunDirectory((runs_dir / wanted).absolute())
    if is_file(Path(wanted) / "run.toml") or "/" in wanted:
        return open_run(Path(wanted))
    known = ", ".join(run.name for run in find_runs(runs_dir)[:8])
    hint = f"; there are {known}" if known else ""
    raise UserError(f'there is no run "{safe_text(wanted, 80)}" in {safe_text(runs_dir)}{hint}', ExitCode.CONFIG)


def _status(state: RunState, lives: bool) -> RunStatus:
    if lives:
        return "running"
    if state.ending is None:
        return "interrupted" if state.t else "not started"
    if state.ending.exit_code == ExitCode.STOPPED:
        return "stopped"
    return "done" if state.ending.exit_code == ExitCode.DONE else "failed"


def _outline(path: Path) -> Iterator[Event]:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            data = file.read(_WHOLE if size <= _WHOLE else _END)
            if size > _WHOLE:
                file.seek(size - _END)
                data = data[: data.rfind(b"\n") + 1] + file.read().partition(b"\n")[2]
    except OSError:
        return
    whole = data[: data.rfind(b"\n") + 1]
    yield from (event for line in whole.splitlines() if (event := decode_line(line)) is not None)
