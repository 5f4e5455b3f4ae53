"""How `dbtui run` passes a signal on to its trainer."""

import signal

from dbtui.runs.launch import TrainerProcess

_INSISTING = (signal.SIGTERM, signal.SIGINT)


class PassOn:
    """The signals of one `dbtui run`. The first asks the trainer to save and stop, the second ends it.

    A job scheduler or a service manager signals every process, so the trainer may have had the same signal
    directly, and once more would end it before it has saved. So the first is passed on as SIGUSR1, which is never
    taken for a second one, unless this process is known to be the only one that gets signals (`is_alone`): at a
    terminal, since the trainer has none, and as a container's main process.
    """

    def __init__(self, trainer: TrainerProcess, *, is_alone: bool) -> None:
        self._trainer = trainer
        self._is_alone = is_alone
        self._has_asked = False

    def pass_on(self, number: signal.Signals) -> str:
        """Pass the signal on; return what to say of it."""
        if self._has_asked and number in _INSISTING:
            self._trainer.send(number)
            return f"{number.name} again: the trainer ends at once"
        self._has_asked = True
        self._trainer.send(number if self._is_alone else signal.SIGUSR1)
        return f"{number.name}: the trainer is asked to save and stop"
