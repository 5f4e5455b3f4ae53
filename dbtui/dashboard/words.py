"""The words and numbers of the dashboard, for the live view and for plain lines alike."""

import datetime
import time

from dbtui.dashboard.state import RunState
from trainer_core.text import safe_text

_LAST_TIME = 2**36
"""Far beyond any date; what lies beyond may be more than the system can tell."""

PHASES = {
    "": "starting",
    "load": "loading the model",
    "cache": "caching pictures",
    "class_images": "drawing class pictures",
    "train": "training",
    "sample": "drawing previews",
    "save": "saving",
    "validate": "measuring",
    "upload": "uploading",
    "paused": "paused",
    "done": "done",
}


def phase_words(state: RunState) -> str:
    """Say what goes on: "training 26%"."""
    words = PHASES.get(state.phase, safe_text(state.phase, 40))
    fraction = state.fraction
    return words if fraction is None or state.phase == "done" else f"{words} {fraction:.0%}"


def duration(seconds: float) -> str:
    """Say a time as people do: "40 s", "14 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 36 else f"{hours // 24} d {hours % 24} h"


def eta_words(state: RunState) -> str:
    """Say how long it will take; empty if that is not known."""
    seconds = state.eta_seconds
    return (
        f"ETA {duration(seconds)}" if seconds is not None and state.phase != "done" and not state.is_paused else ""
    )


def loss_text(value: float | None) -> str:
    """Return a loss with three digits that count."""
    if value is None:
        return "n/a"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 else f"{value:.2e}"


def rate_text(value: float | None) -> str:
    """Return a learning rate as people write it: "1.0e-6"."""
    if value is None:
        return "n/a"
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def epoch_text(state: RunState) -> str:
    """Say the epoch, "of" how many if that is known; empty before the first."""
    if state.epoch is None:
        return ""
    return f"epoch {state.epoch} of {state.epochs}" if state.epochs else f"epoch {state.epoch}"


def clock(t: float, with_seconds: bool = False) -> str:
    """Return the local time of day."""
    if not 0 <= t < _LAST_TIME:
        return "--:--"
    return time.strftime("%H:%M:%S" if with_seconds else "%H:%M", time.localtime(t))


def day_and_time(t: float, now: float) -> str:
    """Return a past time as people tell it: "14:02", "yesterday 14:02", "Tuesday 14:02", "2026-03-01"."""
    if not 0 <= t < _LAST_TIME:
        return ""
    then, today = time.localtime(t), time.localtime(now)
    days = _day_number(today) - _day_number(then)
    if days < 0 or days > 6:
        return time.strftime("%Y-%m-%d", then)
    day = "" if days == 0 else "yesterday " if days == 1 else time.strftime("%A ", then)
    return day + time.strftime("%H:%M", then)


def _day_number(day: time.struct_time) -> int:
    return datetime.date(day.tm_year, day.tm_mon, day.tm_mday).toordinal()
