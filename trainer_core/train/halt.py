"""Whether someone wants the training to stop: by a signal, or by a command from a viewer."""

from trainer_core.run.control import Command, ControlReader, acknowledge
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopRequestedError, StopSignals


class Halt:
    """Collects commands and signals in every phase; outside the steps only a stop can be obeyed.

    Attributes:
        reason: why the training shall stop, None while it shall go on.
    """

    def __init__(self, control: ControlReader, signals: StopSignals, events: EventWriter) -> None:
        self.control = control
        self.signals = signals
        self.events = events
        self.reason: str | None = None
        self._waiting: list[Command] = []

    def commands(self) -> list[Command]:
        """Return the commands that came and are not a stop; a stop is acknowledged and remembered."""
        self._look()
        taken, self._waiting = self._waiting, []
        return taken

    def is_asked(self) -> bool:
        """Tell whether to stop, in the middle of something; other commands wait for the next `commands`."""
        self._look()
        return self.reason is not None

    def requested(self) -> bool:
        """Tell whether to stop, before the first step, when nothing else can be asked for yet."""
        for command in self.commands():
            acknowledge(self.events, command, False, "the training has not begun yet")
        return self.reason is not None

    def leave_if_requested(self) -> None:
        """Raise StopRequestedError before the first step, if a stop was asked for."""
        if self.requested():
            raise StopRequestedError

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond a signal."""
        self.signals.wait(seconds)

    def _look(self) -> None:
        for command in self.control.poll():
            if command.kind == "stop":
                self.reason = self.reason or "asked by a command"
                acknowledge(self.events, command, True, "the state is being saved")
            else:
                self._waiting.append(command)
        if self.signals.stop_requested:
            self.reason = self.reason or f"asked by {self.signals.stop_requested}"
