"""A run as the monitor watches it. Every call may wait for a disk: a thread makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.status import Status
from dbtui.dashboard.view import Moment, draw
from dbtui.dashboard.watched import Watched
from dbtui.runs.follow import Follower
from dbtui.runs.launch import TrainerProcess
from dbtui.wizard.home.rows import preview_path
from trainer_core.run.control import CommandKind
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive

_BEFORE = {"", "load", "class_images", "cache"}


@dataclass(frozen=True)
class Picture:
    """One look at a run: the dashboard's lines, and what the screen needs besides."""

    lines: tuple[Text, ...]
    width: int
    status: Status
    has_ended: bool
    has_begun: bool
    """Whether it is past its preparations, which can be stopped but not paused."""
    preview: Path | None
    """The last preview's file, if it is there."""
    prompt: str


class Watch:
    """Follows one run; `processes` are those that this program started, the newest last."""

    def __init__(self, run: RunDirectory, processes: Sequence[TrainerProcess] = ()) -> None:
        self.run = run
        self._processes = processes
        self._follower: Watched | None = None
        self._facts: RunFacts | None = None
        self._knows_facts = False

    @property
    def follower(self) -> Watched:
        """Who reads the run's events."""
        if self._follower is None:
            self._follower = Follower(self.run, self._process())
        return self._follower

    def _process(self) -> TrainerProcess | None:
        """Return the trainer if it was started here; one that is gone does not count if another has the run."""
        mine = next((each for each in reversed(self._processes) if each.run == self.run), None)
        return None if mine and mine.poll() is not None and is_alive(self.run) else mine

    @property
    def facts(self) -> RunFacts:
        """What is known besides the events; the trainer writes some of it while it starts."""
        if self._facts is None or not self._knows_facts:
            self._facts, self._knows_facts = self.follower.facts(), self.follower.state.step > 0
        return self._facts

    def look(self, width: int, height: int, note: str = "") -> Picture:
        """Read what is new and draw it."""
        follower = self.follower
        has_ended = follower.has_ended()
        follower.poll()
        state, status = follower.state, follower.status()
        if status == "stalled":
            note = note or follower.why_silent()
        moment = Moment(status=status, silence=follower.silence, note=follower.trouble or note)
        lines = draw(state, self.facts, max(1, width), max(1, height), moment)
        last = state.previews[-1] if state.previews else None
        preview = preview_path(self.run, last) if last else None
        there = preview if preview is not None and preview.is_file() else None
        return Picture(
            tuple(lines), width, status, has_ended, state.phase not in _BEFORE, there, last.prompt if last else ""
        )

    def command(self, kind: CommandKind) -> None:
        """Ask the trainer for something. Raises UserError."""
        self.follower.command(kind)
