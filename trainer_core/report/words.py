"""The words of the page for times, sizes and how a run ended."""

import time
from typing import Literal

from trainer_core.errors import ExitCode
from trainer_core.report.story import Story

State = Literal["done", "stopped", "failed", "running", "paused", "crashed", "not started"]
SIGNS: dict[State, str] = {
    "done": "✓",
    "stopped": "■",
    "failed": "✗",
    "running": "●",
    "paused": "‖",
    "crashed": "✗",
    "not started": "·",
}
_LAST_TIME = 2**36


def state_of(story: Story, lives: bool) -> State:
    """Say how the run ended, or that it has not; `lives` tells whether a trainer holds its lock.

    Crashed: the trainer is gone and did not say why.
    """
    if story.ending is not None:
        code = story.ending.exit_code
        return "done" if code == ExitCode.DONE else "stopped" if code == ExitCode.STOPPED else "failed"
    if lives:
        return "paused" if story.phase == "paused" else "running"
    return "crashed" if story.began else "not started"


def style_of(state: State) -> str:
    """Return the class of the style sheet for a state."""
    return {"crashed": "failed", "not started": "stopped", "running": "stopped", "paused": "stopped"}.get(
        state, state
    )


def duration(seconds: float) -> str:
    """Say a time as people do: "40 s", "14 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def moment(t: float) -> str:
    """Return a date and time in UTC; empty if it is not known."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(t)) if 0 < t < _LAST_TIME else ""


def size(number: float) -> str:
    """Return bytes as people read them; empty for none."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return f"{number:.0f} bytes" if number else ""
