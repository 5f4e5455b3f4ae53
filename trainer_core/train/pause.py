"""A training that waits: its memory on the device is given back, the process keeps everything else.

Where several processes train, the others wait beside the first one (train/beside.py): it says each time that they
still do, and so hears of a signal to one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from trainer_core.run.control import Command, acknowledge
from trainer_core.run.events import EventWriter
from trainer_core.train.away import Away
from trainer_core.train.halt import Halt
from trainer_core.train.job import Job
from trainer_core.train.world import PAUSED, PAUSES, RETURNS, SIGNALLED

_LOOK_EVERY = 0.5
_GB = 2**30


@dataclass(slots=True)
class Pause:
    """One pause of `job`, between two steps.

    Attributes:
        obey: obeys a command that needs no device (a save); in a pause it works on main memory.
        draw: obeys a command that does: everything is on the device meanwhile.
        away: what was moved to main memory.
    """

    job: Job
    halt: Halt
    events: EventWriter
    obey: Callable[[Command], None]
    draw: Callable[[Command], None]
    away: Away = field(init=False)

    def __post_init__(self) -> None:
        self.away = Away(self.job)

    def last(self, asked: Command) -> None:
        """Leave the device and wait until `unpause` or a stop; after a stop everything stays in main memory."""
        self.job.settle()
        self.job.world.agree(PAUSES)
        if (freed := self.away.leave_together()) is None:
            acknowledge(
                self.events, asked, False, "main memory has no room for what is on the device; it trains on"
            )
            return
        self._tell_phase()
        acknowledge(self.events, asked, True, f"paused at step {self.job.step}: {_freed_text(self.job, freed)}")
        while not self._is_asked_to_stop() and self._goes_on():
            self.halt.wait(_LOOK_EVERY)

    def _is_asked_to_stop(self) -> bool:
        """Tell whether this process or another one of the run shall end."""
        if self.job.world.agree(PAUSED) == SIGNALLED:
            self.halt.reason = "asked by a signal to another of its processes"
        return self.halt.is_asked()

    def _goes_on(self) -> bool:
        """Obey what was asked for meanwhile; return whether the pause goes on."""
        for command in self.halt.commands():
            match command.kind:
                case "unpause":
                    self.job.world.agree(RETURNS)
                    if self._told(command, self.away.come_back_together()):
                        acknowledge(self.events, command, True, f"the training goes on from step {self.job.step}")
                        self.events.emit("phase", name="train", total=self.job.samples.total_steps)
                        return False
                case "pause":
                    acknowledge(self.events, command, True, "it is paused already")
                case "sample":
                    if self._told(command, self.away.come_back()):
                        self.draw(command)
                        self.away.leave()
                        self._tell_phase()
                case _:
                    self.obey(command)
                    self._tell_phase()
        return True

    def _told(self, asked: Command, is_back: bool) -> bool:
        """Return whether everything is back on the device, and answer where it did not fit any more."""
        if not is_back:
            text = "the device has not enough free memory any more; it stays paused, so free some and ask again"
            acknowledge(self.events, asked, False, text)
        return is_back

    def _tell_phase(self) -> None:
        self.events.emit("phase", name="paused", total=None)


def _freed_text(job: Job, freed: int) -> str:
    if job.device.type == "cpu":
        return "it trains on the CPU, so no memory is freed"
    whose = "its memory" if job.world.is_alone else "the memory of the first GPU, and about as much of each other,"
    return f"{freed / _GB:.1f} GB of {whose} are free for others"
