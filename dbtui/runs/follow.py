"""Follow a run: its events folded into a state, and whether anybody still works on it."""

import shlex
import time

from dbtui.dashboard.facts import RunFacts, read_facts
from dbtui.dashboard.state import Event, RunState, fold
from dbtui.dashboard.status import LIVE, Status, status_of
from dbtui.remote.origin import is_live_copy
from dbtui.runs.launch import TrainerProcess, death_words, last_words
from dbtui.runs.summary import holder_is_suspended, lives, seconds_since
from trainer_core.errors import ExitCode
from trainer_core.run.control import CommandKind, append_command
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.flock import Standing
from trainer_core.run.lock import look_at_lock
from trainer_core.text import safe_text

_LOOK_EVERY = 1.0
TIME_TO_START = 20.0
"""Seconds within which a trainer that was started has taken its run's lock."""
WITHOUT_A_WORD = "the trainer ended without a word: it was killed, or its machine went down"


def attach_command(run: RunDirectory) -> str:
    """Return the command that shows the run again from any folder."""
    return f"dbtui attach {shlex.quote(safe_text(run.path, 1000))}"


def told_exit_code(state: RunState) -> ExitCode:
    """Return how a trainer ended by its own events; FAILED if they do not tell."""
    try:
        return ExitCode(state.ending.exit_code) if state.ending else ExitCode.FAILED
    except ValueError:
        return ExitCode.FAILED


class Follower:
    """Reads what is new in a run's events and keeps the state. It needs nothing but the run directory.

    With the `process` that this program started, the end is known from the system; otherwise from the lock.
    """

    def __init__(self, run: RunDirectory, process: TrainerProcess | None = None) -> None:
        self.run = run
        self.process = process
        self.state = RunState()
        self._reader = EventReader(run.events)
        self._began = self._looked = time.monotonic()
        self._polled = float("-inf")
        self._heard = self._began - seconds_since(run.events)
        self._look = look_at_lock(run)
        self._was_alive = self._lives
        self._is_copy = is_live_copy(run, LIVE)

    @property
    def silence(self) -> float:
        """Seconds since the last event, on this machine's clock."""
        return time.monotonic() - self._heard

    def poll(self) -> list[Event]:
        """Read and fold what is new; return it."""
        before, self._polled = self._polled, time.monotonic()
        events = self._reader.poll()
        if events:  # written since the last look, whatever the clock of the file system says
            self._heard = max(self._heard, before, self._polled - seconds_since(self.run.events))
            self.state = fold(events, self.state)
        return events

    def status(self) -> Status:
        """Return how the run stands."""
        self._look_again()
        is_suspended = holder_is_suspended(self._look)
        is_there = self._lives and not (self.process and self.process.poll() is not None)
        return status_of(
            self.state,
            lives=is_there,
            silence=self.silence,
            is_suspended=is_suspended,
            is_copy=self._is_copy and not self._was_alive,
        )

    def why_silent(self) -> str:
        """Say what is known of a stalled trainer, and what can be done."""
        if holder := self._look.holder:
            if holder_is_suspended(self._look):
                return f"process {holder.pid} is suspended; it goes on with: kill -CONT {holder.pid}"
            if self._look.standing is Standing.ELSEWHERE:
                return f"process {holder.pid} on {safe_text(holder.host, 60)} cannot be asked from here"
            return f"process {holder.pid} lives; it may wait for a disk, the network or the GPU"
        return ""

    def has_ended(self) -> bool:
        """Tell whether the trainer is gone. Poll once more afterwards: it may have written until its end."""
        if self.process:
            return self.process.poll() is not None
        self._look_again()
        has_begun = self._was_alive or self.state.t > 0 or self._is_old()
        return not self._lives and has_begun

    def exit_code(self) -> ExitCode:
        """Return how the trainer ended, once it has."""
        if self.process and (code := self.process.poll()) is not None:
            return code
        return told_exit_code(self.state)

    def silent_death(self) -> str:
        """Say how the trainer ended if it did not say so itself; empty if it did."""
        if self.state.ending:
            return ""
        if self.process and (status := self.process.process.poll()) is not None:
            return death_words(status)
        return WITHOUT_A_WORD

    @property
    def trouble(self) -> str:
        """Nothing: a file of this machine is always there to be read."""
        return ""

    @property
    def come_back(self) -> str:
        """The command that shows the run again from any folder."""
        return attach_command(self.run)

    def facts(self) -> RunFacts:
        """Return what is known of the run besides its events."""
        return read_facts(self.run)

    def last_words(self) -> list[str]:
        """Return the last lines of the trainer's output, made safe for a terminal."""
        return last_words(self.run)

    def command(self, kind: CommandKind) -> None:
        """Ask the trainer for something. Raises UserError(DISK) if that cannot be written."""
        append_command(self.run, kind)

    @property
    def _lives(self) -> bool:
        return self.process is not None or lives(self._look)

    def _look_again(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._looked, self._look = now, look_at_lock(self.run)
            self._was_alive = self._was_alive or self._lives

    def _is_old(self) -> bool:
        """Tell whether a trainer that is on its way would have taken the lock by now."""
        age = seconds_since(self.run.run_toml) if self.run.run_toml.exists() else TIME_TO_START + 1
        return age > TIME_TO_START or time.monotonic() - self._began > TIME_TO_START
