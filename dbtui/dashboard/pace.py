"""How long the rest will take: robust against a slow step, a pause, a suspended machine and a changed clock."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

_WINDOW = 64


@dataclass
class Pace:
    """Seconds per step on the trainer's monotonic clock, and what previews and saves add."""

    durations: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    """Seconds of each of the last steps."""
    last_step: int = 0
    last_mono: float | None = None
    """When `last_step` ended; None if something else happened since."""
    steps: int = 0
    extra: float = 0.0
    """Seconds spent on previews and saves since the trainer started."""
    extra_since: float | None = None

    def on_step(self, step: int, mono: float) -> None:
        """Take note of a finished step."""
        self._end_extra(mono)
        done = step - self.last_step
        if done > 0:
            if self.last_mono is not None and mono > self.last_mono:
                self.durations.append((mono - self.last_mono) / done)
            self.steps += done
        self.last_step, self.last_mono = step, mono

    def on_phase(self, name: str, mono: float) -> None:
        """Take note of a phase: previews, saves and measuring count as extra time of training, the rest not."""
        self._end_extra(mono)
        if name in {"sample", "save", "validate"} and self.steps:
            self.extra_since = mono
        self.last_mono = None

    def restart(self, step: int) -> None:
        """Begin anew at `step`: another process, and perhaps another machine, goes on."""
        self.durations.clear()
        self.last_step, self.last_mono = step, None
        self.steps, self.extra, self.extra_since = 0, 0.0, None

    def seconds_for(self, steps: int) -> float | None:
        """Return how long `steps` more will take; None before two steps were seen."""
        if not self.durations:
            return None
        return steps * (median(self.durations) + self.extra / max(1, self.steps))

    def _end_extra(self, mono: float) -> None:
        if self.extra_since is not None:
            self.extra += max(0.0, mono - self.extra_since)
            self.extra_since = None
