"""Numbers of a step brought to the host one step later, so that the device never waits for it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """What a step computed.

    Attributes:
        step: number of steps done, this one included.
        loss: mean weighted loss of the step's samples.
        grad_norm: global gradient norm before clipping, unscaled.
    """

    step: int
    loss: float
    grad_norm: float


class Readback:
    """Two pinned buffers, written by the device in turn and read when the next step is already queued."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.device_side = [torch.zeros(2, device=device) for _ in range(2)]
        self.host_side = [torch.zeros(2, pin_memory=self.on_gpu) for _ in range(2)]
        self.copied = [torch.cuda.Event() for _ in range(2)] if self.on_gpu else []
        self.pending: int | None = None

    def push(self, step: int, loss: Tensor, grad_norm: Tensor) -> StepNumbers | None:
        """Start copying this step's numbers; return those of the step before, None at the first."""
        slot = step % 2
        self.device_side[slot][0].copy_(loss)
        self.device_side[slot][1].copy_(grad_norm)
        self.host_side[slot].copy_(self.device_side[slot], non_blocking=self.on_gpu)
        if self.on_gpu:
            self.copied[slot].record()
        before = self.drain()
        self.pending = step
        return before

    def drain(self) -> StepNumbers | None:
        """Wait for the numbers still under way and return them, None if there are none."""
        if self.pending is None:
            return None
        step, slot = self.pending, self.pending % 2
        self.pending = None
        if self.on_gpu:
            self.copied[slot].synchronize()
        loss, grad_norm = self.host_side[slot].tolist()
        return StepNumbers(step=step, loss=loss, grad_norm=grad_norm)
