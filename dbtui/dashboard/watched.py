"""What a viewer needs of a run that it shows, wherever that lies."""

from typing import Protocol

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.state import Event, RunState
from dbtui.dashboard.status import Status
from trainer_core.errors import ExitCode
from trainer_core.run.control import CommandKind


class Watched(Protocol):
    """A run that is being followed. Everything here returns at once."""

    state: RunState
    """Its events so far, folded."""

    @property
    def silence(self) -> float:
        """Seconds since the last event."""

    @property
    def trouble(self) -> str:
        """Why nothing can be heard of the run just now; empty if all is well. Safe to print."""

    @property
    def come_back(self) -> str:
        """The command that shows the run again, from any folder."""

    def facts(self) -> RunFacts:
        """Return what is known of the run besides its events."""

    def poll(self) -> list[Event]:
        """Fold what is new into the state; return it."""

    def status(self) -> Status:
        """Return how the run stands."""

    def why_silent(self) -> str:
        """Say what is known of a stalled trainer, and what can be done."""

    def has_ended(self) -> bool:
        """Tell whether the trainer is gone. Poll once more afterwards: it may have written until its end."""

    def exit_code(self) -> ExitCode:
        """Return how the trainer ended, once it has."""

    def silent_death(self) -> str:
        """Say how the trainer ended if it did not say so itself; empty if it did."""

    def last_words(self) -> list[str]:
        """Return the last lines of the trainer's output, safe to print."""

    def command(self, kind: CommandKind) -> None:
        """Ask the trainer for something. Raises UserError if that cannot be done."""
