"""Where an optimizer's state lies: on the device, or in main memory, from which it comes for each update."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.models.bus import Bus


class StatePlace:
    """Makes the state of weights, and has it at hand for their update."""

    def __init__(self, bus: Bus | None) -> None:
        """Without `bus` everything lies on the device."""
        self.bus = bus

    def zeros_for(self, parameter: Parameter) -> Tensor:
        """Return float32 zeros in the shape of a weight; on the device there never are those of all weights."""
        if self.bus is None:
            return torch.zeros_like(parameter, dtype=torch.float32)
        return self.bus.keep(torch.zeros_like(parameter, dtype=torch.float32, device="cpu"))

    @contextmanager
    def at_hand(self, *state: Tensor) -> Iterator[Sequence[Tensor]]:
        """Give tensors on the device that may be changed in place; what becomes of them is kept."""
        if self.bus is None:
            yield state
            return
        here = [self.bus.bring(each) for each in state]
        yield here
        for each, changed in zip(state, here, strict=True):
            self.bus.put_back(each, changed)

    def settle(self) -> None:
        """Wait until what is in main memory may be read."""
        if self.bus is not None:
            self.bus.settle()
