"""How a run stands, in one word: the same word, sign and colour in the dashboard and in the list of runs. Pure."""

from typing import Literal, get_args

from dbtui.dashboard.state import RunState
from trainer_core.errors import ExitCode

Status = Literal["running", "paused", "stalled", "stopped", "failed", "done", "crashed", "fetched", "not started"]
"""Stalled: the trainer lives, but nothing was heard of it for long. Crashed: it is gone and did not say why.
Fetched: these files are a copy, made while the run was trained on another machine."""
STATUSES: tuple[Status, ...] = get_args(Status)
LIVE: frozenset[Status] = frozenset({"running", "paused", "stalled"})

SIGNS: dict[Status, str] = {
    "running": "●",
    "paused": "‖",
    "stalled": "!",
    "stopped": "■",
    "failed": "✗",
    "done": "✓",
    "crashed": "✗",
    "fetched": "↓",
    "not started": "·",
}
STYLES: dict[Status, str] = {
    "running": "cyan",
    "paused": "yellow",
    "stalled": "bold yellow",
    "stopped": "yellow",
    "failed": "bold red",
    "done": "bold green",
    "crashed": "bold red",
    "fetched": "cyan",
    "not started": "dim",
}

_LEAST = 60.0
_SLOW_STEPS = 10
_LONG = 300.0
_PHASES = {"cache": 180.0, "class_images": 600.0, "load": 600.0, "sample": 600.0, "save": 600.0, "upload": 1800.0}


def status_of(
    state: RunState, *, lives: bool, silence: float = 0.0, is_suspended: bool = False, is_copy: bool = False
) -> Status:
    """Return how a run stands.

    Args:
        state: its events, folded.
        lives: whether a trainer holds its lock.
        silence: seconds since its last event.
        is_suspended: whether that process is known to be stopped (SIGSTOP).
        is_copy: whether these files were fetched from another machine while the run lived there.
    """
    if state.ending:
        if state.ending.exit_code == ExitCode.STOPPED:
            return "stopped"
        return "done" if state.ending.exit_code == ExitCode.DONE else "failed"
    if not lives:
        return "fetched" if is_copy else "crashed" if state.t else "not started"
    if is_suspended:
        return "stalled"
    if state.is_paused:
        return "paused"
    return "stalled" if silence > patience(state) else "running"


def patience(state: RunState) -> float:
    """Return after how many seconds without an event a run counts as stalled.

    Steps have a pace of their own; the first one may compile kernels. The other phases may work for minutes on
    one thing: a large file on a slow disk, a picture on a CPU.
    """
    if state.phase == "train":
        slowest = max(state.pace.durations, default=None)
        return max(_LEAST, _SLOW_STEPS * slowest) if slowest is not None else _LONG
    return _PHASES.get(state.phase, _LONG)
