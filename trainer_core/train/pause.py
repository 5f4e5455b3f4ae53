"""A training that waits: its memory on the device is given back, the process keeps everything else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor

from trainer_core.run.control import Command, acknowledge
from trainer_core.run.events import EventWriter
from trainer_core.run.memory import free_main_memory
from trainer_core.train.halt import Halt
from trainer_core.train.job import Job
from trainer_core.train.out_of_memory import free_memory, is_out_of_memory

_LOOK_EVERY = 0.5
_GB = 2**30


@dataclass(slots=True)
class Pause:
    """One pause of `job`, between two steps.

    Attributes:
        obey: obeys a command that needs no device (a save); in a pause it works on main memory.
        draw: obeys a command that does: everything is on the device meanwhile.
        away: what was moved to main memory, and from where.
    """

    job: Job
    halt: Halt
    events: EventWriter
    obey: Callable[[Command], None]
    draw: Callable[[Command], None]
    away: list[tuple[Tensor, torch.device]] = field(default_factory=list)

    def last(self, asked: Command) -> None:
        """Leave the device and wait until `unpause` or a stop; after a stop everything stays in main memory."""
        self.job.settle()
        try:
            self._refuse_too_little()
            freed = self._leave()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            acknowledge(
                self.events, asked, False, "main memory has no room for what is on the device; it trains on"
            )
            return
        self._tell_phase()
        acknowledge(self.events, asked, True, f"paused at step {self.job.step}: {_freed_text(self.job, freed)}")
        while not self.halt.is_asked() and self._goes_on():
            self.halt.wait(_LOOK_EVERY)

    def _goes_on(self) -> bool:
        """Obey what was asked for meanwhile; return whether the pause goes on."""
        for command in self.halt.commands():
            match command.kind:
                case "unpause":
                    if self._return(command):
                        acknowledge(self.events, command, True, f"the training goes on from step {self.job.step}")
                        self.events.emit("phase", name="train", total=self.job.samples.total_steps)
                        return False
                case "pause":
                    acknowledge(self.events, command, True, "it is paused already")
                case "sample":
                    if self._return(command):
                        self.draw(command)
                        self._leave()
                        self._tell_phase()
                case _:
                    self.obey(command)
                    self._tell_phase()
        return True

    def _refuse_too_little(self) -> None:
        """Raise MemoryError where main memory is known to be too small: the system would kill the process."""
        needed = sum(tensor.nbytes for tensor in tensors_of(self.job) if tensor.device.type != "cpu")
        free = free_main_memory()
        if free is not None and needed > free:
            raise MemoryError

    def _leave(self) -> int:
        """Move what is on the device to main memory; return the bytes of the device that were freed by that."""
        before = _allocated(self.job.device)
        try:
            for tensor in tensors_of(self.job):
                if tensor.device.type != "cpu":
                    device = tensor.device
                    tensor.data = tensor.data.to("cpu")
                    self.away.append((tensor, device))
        except Exception:
            self._bring_back()
            raise
        self.job.optimizer.page_out()
        free_memory()
        return before - _allocated(self.job.device)

    def _return(self, asked: Command) -> bool:
        """Move everything back; where it does not fit any more, answer that, and stay paused."""
        try:
            self._bring_back()
            return True
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._leave()
        text = "the device has not enough free memory any more; it stays paused, so free some and ask again"
        acknowledge(self.events, asked, False, text)
        return False

    def _bring_back(self) -> None:
        while self.away:
            tensor, device = self.away[-1]
            tensor.data = tensor.data.to(device)
            self.away.pop()

    def _tell_phase(self) -> None:
        self.events.emit("phase", name="paused", total=None)


def tensors_of(job: Job) -> Iterator[Tensor]:
    """Yield every tensor of a training that may lie on the device between two steps, each once."""
    model, conditioning = job.model, job.conditioning
    modules = [model.unet, model.text_encoder, model.vae]
    held = chain(
        *(chain(module.parameters(), module.buffers()) for module in modules),
        job.parameters.values(),
        (value for state in job.optimizer.state() for value in state.values() if isinstance(value, Tensor)),
        job.average.tensors.values() if job.average else (),
        (conditioning.embeddings or {}).values(),
    )
    seen: set[int] = set()
    for tensor in held:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def _allocated(device: torch.device) -> int:
    """Return the bytes that this process holds of the device, as another program sees them."""
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else 0


def _freed_text(job: Job, freed: int) -> str:
    if job.device.type == "cpu":
        return "it trains on the CPU, so no memory is freed"
    return f"{freed / _GB:.1f} GB of its memory are free for others"
