"""Follow a run: its events folded into a state, and whether anybody still works on it."""

import time

from dbtui.dashboard.state import Event, RunState, fold
from dbtui.runs.launch import TrainerProcess, death_words
from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive

_LOOK_EVERY = 1.0
_TIME_TO_START = 20.0


class Follower:
    """Reads what is new in a run's events and keeps the state. It needs nothing but the run directory.

    With the `process` that this program started, the end is known from the system; otherwise from the lock.
    """

    def __init__(self, run: RunDirectory, process: TrainerProcess | None = None) -> None:
        self.run = run
        self.process = process
        self.state = RunState()
        self._reader = EventReader(run.events)
        self._heard = time.monotonic() - _age_of_last_event(run)
        self._began = self._looked = time.monotonic()
        self._lives = process is not None or is_alive(run)
        self._was_alive = self._lives

    @property
    def silence(self) -> float:
        """Seconds since the last event, on this machine's clock."""
        return time.monotonic() - self._heard

    def poll(self) -> list[Event]:
        """Read and fold what is new; return it."""
        events = self._reader.poll()
        if events:
            self._heard = max(self._heard, time.monotonic() - _age_of_last_event(self.run))
            self.state = fold(events, self.state)
        return events

    def has_ended(self) -> bool:
        """Tell whether the trainer is gone. Poll once more afterwards: it may have written until its end."""
        if self.process:
            return self.process.poll() is not None
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._looked, self._lives = now, is_alive(self.run)
            self._was_alive = self._was_alive or self._lives
        has_begun = self._was_alive or self.state.t > 0 or self._is_old()
        return not self._lives and has_begun

    def exit_code(self) -> ExitCode:
        """Return how the trainer ended, once it has."""
        if self.process and (code := self.process.poll()) is not None:
            return code
        if self.state.ending is None:
            return ExitCode.FAILED
        try:
            return ExitCode(self.state.ending.exit_code)
        except ValueError:
            return ExitCode.FAILED

    def silent_death(self) -> str:
        """Say how the trainer ended if it did not say so itself; empty if it did."""
        if self.state.ending:
            return ""
        if self.process and (status := self.process.process.poll()) is not None:
            return death_words(status)
        return "the trainer ended without a word: it was killed, or its machine went down"

    def _is_old(self) -> bool:
        """Tell whether a trainer that is on its way would have taken the lock by now."""
        try:
            age = time.time() - self.run.run_toml.stat().st_mtime
        except OSError:
            return True
        return age > _TIME_TO_START or time.monotonic() - self._began > _TIME_TO_START


def _age_of_last_event(run: RunDirectory) -> float:
    try:
        return max(0.0, time.time() - run.events.stat().st_mtime)
    except OSError:
        return 0.0
