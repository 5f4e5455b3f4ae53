"""What of a training lies on the device, moved to main memory and back: in one process, or in all of a run."""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor

from trainer_core.ranks.place import processes_here
from trainer_core.run.memory import free_main_memory
from trainer_core.train.job import Job
from trainer_core.train.out_of_memory import free_memory, is_out_of_memory


class Away:
    """Moves what is on the device out and back.

    Attributes:
        is_away: whether it is out. Where the device is main memory itself, nothing moves.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.is_away = False
        self._moved: list[tuple[Tensor, torch.device]] = []

    def leave(self) -> int | None:
        """Move what is on the device to main memory; return the bytes of the device that were freed by that.

        None where main memory has no room: then everything is where it was.
        """
        try:
            self._refuse_too_little()
            freed = self._leave()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None
        self.is_away = True
        return freed

    def come_back(self) -> bool:
        """Move everything back; where the device has no room any more, leave it again and return False."""
        try:
            self._bring_back()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            self.is_away = False
            return True
        self._leave()
        return False

    def leave_together(self) -> int | None:
        """Do as `leave` does in every process, which all call it at a time; where one has no room, none leaves."""
        freed = self.leave()
        if not self.job.world.agree(int(freed is None)):
            return freed
        if freed is not None:
            self._bring_back()
            self.is_away = False
        return None

    def come_back_together(self) -> bool:
        """Do as `come_back` does in every process, which all call it at a time; where one has no room, none is."""
        is_back = self.come_back()
        if not self.job.world.agree(int(not is_back)):
            return True
        if is_back:
            self._leave()
            self.is_away = True
        return False

    def _refuse_too_little(self) -> None:
        """Raise MemoryError where main memory is known to be too small: the system would kill the process."""
        needed = sum(tensor.nbytes for tensor in tensors_of(self.job) if tensor.device.type != "cpu")
        free = free_main_memory()
        if free is not None and needed * processes_here() > free:
            raise MemoryError

    def _leave(self) -> int:
        before = _allocated(self.job.device)
        try:
            for tensor in tensors_of(self.job):
                if tensor.device.type != "cpu":
                    device = tensor.device
                    tensor.data = tensor.data.to("cpu")
                    self._moved.append((tensor, device))
        except Exception:
            self._bring_back()
            raise
        self.job.optimizer.page_out()
        free_memory()
        return before - _allocated(self.job.device)

    def _bring_back(self) -> None:
        while self._moved:
            tensor, device = self._moved[-1]
            tensor.data = tensor.data.to(device)
            self._moved.pop()


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
