"""Follow a run on another machine, as `dbtui.runs.follow` follows one here."""

import shlex
import time
from dataclasses import replace
from pathlib import Path

from dbtui.dashboard.facts import RunFacts, facts_of
from dbtui.dashboard.state import Event, RunState, fold
from dbtui.dashboard.status import Status, status_of
from dbtui.remote.link import Link
from dbtui.runs.follow import TIME_TO_START, WITHOUT_A_WORD, told_exit_code
from dbtui.runs.launch import last_lines
from dbtui.runs.summary import LIVE_STANDINGS
from trainer_core.errors import ExitCode
from trainer_core.run.control import CommandKind
from trainer_core.run.flock import Standing
from trainer_core.text import safe_text

_GONE_AFTER = 10.0
"""Seconds without a connection after which a run that said how it ended is over: pods stop themselves then."""


class RemoteFollower:
    """What a viewer shows of a run that a link looks at. `state` is its events so far, folded."""

    def __init__(self, link: Link) -> None:
        self.state = RunState()
        self._link = link
        self._began = time.monotonic()
        self._was_alive = False

    @property
    def silence(self) -> float:
        """Seconds since the last event, by the clock there; while there is no connection, as it was before."""
        since = 0.0 if self._link.is_lost else time.monotonic() - self._link.seen
        return self._link.sight.silence + since

    @property
    def trouble(self) -> str:
        """Why nothing is heard of the other side, or of a command; empty if all is well."""
        return self._link.trouble

    @property
    def come_back(self) -> str:
        """The command that shows the run again."""
        return f"dbtui attach {self._quoted_target()}"

    def facts(self) -> RunFacts:
        """Return what is known of the run besides its events."""
        target, folder = self._link.target, self._link.machine.folder
        facts = facts_of(Path(folder or target.path), *self._link.papers, is_here=False)
        return replace(facts, place=target.place, bring_it=f"dbtui fetch {self._quoted_target()}")

    def poll(self) -> list[Event]:
        """Fold what came since the last call; return it."""
        events = self._link.take()
        if events:
            self.state = fold(events, self.state)
        return events

    def status(self) -> Status:
        """Return how the run stands, or stood when the connection was lost."""
        link = self._link
        is_suspended = link.sight.is_suspended(link.machine)
        return status_of(self.state, lives=self._lives, silence=self.silence, is_suspended=is_suspended)

    def why_silent(self) -> str:
        """Say what is known of a stalled trainer, and what can be done."""
        sight, machine = self._link.sight, self._link.machine
        if (holder := sight.holder) is None:
            return ""
        if sight.is_suspended(machine):
            return f"process {holder.pid} is suspended; it goes on with: kill -CONT {holder.pid} (there)"
        if sight.standing(machine) is Standing.ELSEWHERE:
            return f"process {holder.pid} on {safe_text(holder.host, 60)} cannot be asked from there"
        return f"process {holder.pid} lives; it may wait for a disk, the network or the GPU"

    def has_ended(self) -> bool:
        """Tell whether the trainer is gone. What it wrote until then is there with the next `poll`."""
        self._was_alive = self._was_alive or self._lives
        if self._link.is_lost:
            return self.state.ending is not None and self._link.lost_for > _GONE_AFTER
        is_old = self._link.sight.age > TIME_TO_START or time.monotonic() - self._began > TIME_TO_START
        has_begun = self._was_alive or self.state.t > 0 or is_old
        return not self._lives and has_begun and not self._link.lines.is_behind

    def exit_code(self) -> ExitCode:
        """Return how the trainer ended, as it said itself."""
        return told_exit_code(self.state)

    def silent_death(self) -> str:
        """Say how the trainer ended if it did not say so itself; empty if it did."""
        return "" if self.state.ending else WITHOUT_A_WORD

    def last_words(self) -> list[str]:
        """Return the last lines of the trainer's output, safe to print."""
        return last_lines(self._link.console)

    def command(self, kind: CommandKind) -> None:
        """Ask the trainer for something. Raises UserError if there is no connection."""
        self._link.command(kind)

    @property
    def _lives(self) -> bool:
        return self._link.sight.standing(self._link.machine) in LIVE_STANDINGS

    def _quoted_target(self) -> str:
        return safe_text(shlex.quote(self._link.target.text), 1000)
