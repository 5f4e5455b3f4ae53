"""The runs of a folder, the newest first, and the one that a person means."""

import difflib
from pathlib import Path

from dbtui.remote.target import is_remote
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_file
from trainer_core.run.directory import RunDirectory, open_run
from trainer_core.run.lock import is_alive
from trainer_core.run.names import is_run_name
from trainer_core.text import safe_text

_SHOWN = 8


def find_runs(runs_dir: Path) -> list[RunDirectory]:
    """Return the runs of a folder, the newest first."""
    try:
        entries = [entry for entry in runs_dir.iterdir() if is_run_name(entry.name)]
    except OSError:
        return []
    runs = [RunDirectory(entry.absolute()) for entry in entries if is_file(entry / "run.toml")]
    return sorted(runs, key=_made, reverse=True)


def live_runs(runs_dir: Path) -> list[RunDirectory]:
    """Return the runs of a folder that a trainer works on, the newest first."""
    return [run for run in find_runs(runs_dir) if is_alive(run)]


def choose_run(runs_dir: Path, wanted: str | None) -> RunDirectory:
    """Return the run named `wanted` (or at that path); without it the newest live one, else the newest.

    Raises UserError(CONFIG) if there is none.
    """
    if wanted is not None and is_remote(wanted) and not is_file(Path(wanted) / "run.toml"):
        text = f"{safe_text(wanted, 200)} is on another machine: only `dbtui attach` and `dbtui fetch` reach there"
        raise UserError(text, ExitCode.CONFIG)
    if wanted is None:
        runs = find_runs(runs_dir)
        if not runs:
            raise UserError(_no_runs(runs_dir), ExitCode.CONFIG)
        return next((run for run in runs if is_alive(run)), runs[0])
    if is_run_name(wanted) and is_file(runs_dir / wanted / "run.toml"):
        return RunDirectory((runs_dir / wanted).absolute())
    path = Path(wanted)
    if is_file(path / "run.toml"):
        return open_run(path)
    if path.name and is_file(path) and is_file(path.parent / "run.toml"):  # a file of the run, such as its events
        return open_run(path.parent)
    if "/" in wanted:
        return open_run(path)
    raise UserError(_no_such_run(runs_dir, wanted), ExitCode.CONFIG)


def _no_runs(runs_dir: Path) -> str:
    return f"there are no runs in {safe_text(runs_dir)}: name the folder that holds them with --runs-dir"


def _no_such_run(runs_dir: Path, wanted: str) -> str:
    """Say that there is none of that name; suggest those that are spelled nearly so, else tell the newest."""
    names = [run.name for run in find_runs(runs_dir)]
    problem = f'there is no run "{safe_text(wanted, 80)}" in {safe_text(runs_dir)}'
    if not names:
        return f"{problem}: it holds no runs; name the folder that does with --runs-dir"
    if near := _near(wanted, names):
        return f"{problem} (did you mean {' or '.join(near)}?)"
    more = f" and {len(names) - _SHOWN} more (`dbtui runs`)" if len(names) > _SHOWN else ""
    return f"{problem}; there are {', '.join(names[:_SHOWN])}{more}"


def _near(wanted: str, names: list[str]) -> list[str]:
    """Return up to three names that begin with what was typed, or else are spelled like it."""
    if begun := [name for name in names if name.startswith(wanted)]:
        return begun[:3]
    lowered = {name.lower(): name for name in reversed(names)}
    return [lowered[near] for near in difflib.get_close_matches(wanted.lower(), lowered, n=3, cutoff=0.7)]


def _made(run: RunDirectory) -> float:
    try:
        return run.run_toml.stat().st_mtime
    except OSError:  # removed while the folder was read
        return 0.0
