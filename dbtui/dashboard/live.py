"""The live dashboard: reads the events once a second, draws what changed, and acts on keys and signals."""

import signal
import sys
import time
from collections.abc import Callable
from enum import Enum

from rich.console import Console, Group
from rich.live import Live

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.interrupts import Interrupts
from dbtui.dashboard.keys import Keys
from dbtui.dashboard.screen import SturdyOutput, make_console
from dbtui.dashboard.view import Moment, draw
from dbtui.dashboard.watched import Watched
from trainer_core.errors import UserError
from trainer_core.run.control import CommandKind

_TICK = 0.25
_DATA_EVERY = 1.0
_NOTE_STAYS = 8.0
KEYS = "v preview now · s save now · p pause · x stop and save · d detach"
_KEYS = (KEYS, "v preview · s save · p pause · x stop · d detach", "p pause · x stop · d detach")
_PAUSED_KEYS = ("p go on · s save now · x stop and save · d detach", "p go on · x stop · d detach")
_LEAST_KEYS = "x stop · d detach"
_STOPPING = "stopping: the trainer ends its step and saves · Ctrl-C again leaves it to that"


class Leaving(Enum):
    """Why the dashboard was left."""

    ENDED = "the trainer is gone"
    DETACHED = "the person left; the training goes on"
    IMPATIENT = "the person left while the trainer is saving"
    LOST = "the terminal is gone"


class Dashboard:
    """One viewer of one run.

    `ask_to_stop` is what Ctrl-C does the first time; without it (an attached viewer) Ctrl-C detaches. Where the
    viewer `stays`, since the training ends with it, SIGTERM asks for a stop as well.
    """

    def __init__(
        self, follower: Watched, ask_to_stop: Callable[[], object] | None = None, *, stays: bool = False
    ) -> None:
        self._follower = follower
        self._ask_to_stop = ask_to_stop
        self._stays = stays
        self._is_stopping = False
        self._facts = follower.facts()
        self._knows_facts = False
        self._note, self._note_until = "", 0.0
        self._output = SturdyOutput(sys.stdout)
        self._console = make_console(self._output)

    def watch(self, interrupts: Interrupts) -> Leaving:
        """Show the run until it ends or the viewer is left. The terminal is put back in every case."""
        with Keys() as keys:
            live = Live(
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            with live:
                return self._loop(live, keys, interrupts)

    def _loop(self, live: Live, keys: Keys, interrupts: Interrupts) -> Leaving:
        next_look, shown = 0.0, ""
        while True:
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + _DATA_EVERY
                self._look()
            shown = self._show(live, shown)
            typed = keys.wait(_TICK)
            leaving = self._on_signals(interrupts.take()) or self._on_keys(typed)
            if self._output.is_gone:
                return Leaving.LOST
            if leaving:
                return leaving
            if self._follower.has_ended():
                self._follower.poll()
                return Leaving.ENDED

    def _look(self) -> None:
        self._follower.poll()
        if not self._knows_facts:  # the trainer writes process.json while it starts
            self._facts = self._follower.facts()
            self._knows_facts = self._follower.state.step > 0

    def _show(self, live: Live, shown: str) -> str:
        """Draw the picture if anything in it changed; return what it shows."""
        width, height = self._console.size
        lines = draw(self._follower.state, self._facts, width, height, self._moment(width))
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
        picture = f"{width}x{height}\n" + "\n".join(line.plain for line in lines)
        if picture != shown:
            live.update(Group(*lines), refresh=True)
        return picture

    def _moment(self, width: int) -> Moment:
        status = self._follower.status()
        note = self._note if time.monotonic() < self._note_until else ""
        if status == "stalled":
            note = note or self._follower.why_silent()
        if trouble := self._follower.trouble:
            note, self._note = trouble, ""  # it explains what a key did not do, too
        if self._is_stopping:
            note = _STOPPING
        keys = _PAUSED_KEYS if status == "paused" else _KEYS
        fitting = next((each for each in keys if len(each) <= width), _LEAST_KEYS)
        return Moment(status=status, silence=self._follower.silence, note=note, keys=fitting)

    def _on_signals(self, signals: list[signal.Signals]) -> Leaving | None:
        for number in signals:
            if number is signal.SIGHUP:
                return Leaving.LOST
            if (number is signal.SIGTERM and not self._stays) or self._ask_to_stop is None:
                return Leaving.DETACHED
            if self._is_stopping:
                return Leaving.IMPATIENT
            self._stop()
        return None

    def _on_keys(self, typed: str) -> Leaving | None:
        for key in typed:
            if key in "dq":
                return Leaving.IMPATIENT if self._is_stopping else Leaving.DETACHED
            if key == "x" and not self._is_stopping:
                self._stop()
            elif key == "s":
                self._command("save", "a save is asked for")
            elif key == "v":
                self._command("sample", "a preview is asked for")
            elif key in "p ":
                self._pause_or_go_on()
        return None

    def _pause_or_go_on(self) -> None:
        if self._follower.state.is_paused:
            self._command("unpause", "going on is asked for")
        else:
            self._command("pause", "a pause is asked for")

    def _stop(self) -> None:
        if self._ask_to_stop:
            self._ask_to_stop()
            self._is_stopping = True
        else:
            self._command("stop", "stop is asked for: the trainer ends its step and saves")

    def _command(self, kind: CommandKind, note: str) -> None:
        try:
            self._follower.command(kind)
        except UserError as error:
            note = error.problems[0]
        self._note, self._note_until = note, time.monotonic() + _NOTE_STAYS


def still_picture(follower: Watched, console: Console, facts: RunFacts) -> None:
    """Print the picture of a run that is over, once."""
    width, height = console.size
    moment = Moment(status=follower.status(), silence=follower.silence)
    for line in draw(follower.state, facts, width, max(12, min(height - 8, 20)), moment):
        if line.plain.strip():
            console.print(line, no_wrap=True, overflow="crop", crop=True)
