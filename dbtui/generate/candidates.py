"""Where the start model of a LoRA may lie on this machine: its hash tells which it is."""

from pathlib import Path

from dbtui.dashboard.facts import start_model
from dbtui.runs.find import find_runs
from dbtui.wizard.models.known import places
from dbtui.wizard.recent import recent_models

_MOST_RUNS = 50


def candidates(runs_dir: Path) -> tuple[str, ...]:
    """Return models used before, and the folders where web UIs keep theirs; they need not exist."""
    of_runs = filter(None, map(start_model, find_runs(runs_dir)[:_MOST_RUNS]))
    folders = [str(place.folder) for below in places(runs_dir) for place in below]
    return tuple(dict.fromkeys((*recent_models(), *of_runs, *folders)))
