"""The way between main memory and the device, for what lies in the one and is used on the other."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(slots=True)
class Slot:
    """Room on the device that one thing after the other is loaded into.

    Attributes:
        owner: the module that has the room, as the buffer `name`: so it moves with the module.
        holds: what was loaded last.
        loaded: tells when that is there.
        used: tells when what was there before is no longer read.
    """

    owner: nn.Module
    name: str
    holds: Any = None
    loaded: Any = None
    used: Any = None

    def view(self, like: Tensor) -> Tensor:
        """Return as much of the room as `like` takes, in its shape and type."""
        room: Tensor = getattr(self.owner, self.name)
        return room[: like.nbytes].view(like.dtype).view(like.shape)


class Bus(ABC):
    """Copies from and to main memory.

    Copies into a `Slot` may go beside the computing: `load`, `ready` and `used` say what must wait for what.
    Everything else happens in the order in which it is asked for.
    """

    @abstractmethod
    def keep(self, tensor: Tensor) -> Tensor:
        """Return a copy in main memory."""

    @abstractmethod
    def bring(self, kept: Tensor) -> Tensor:
        """Return a copy on the device."""

    @abstractmethod
    def put_back(self, kept: Tensor, tensor: Tensor) -> None:
        """Write what is on the device over the copy in main memory."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until everything that was written to main memory is there."""

    @abstractmethod
    def load(self, slot: Slot, kept: Tensor) -> None:
        """Begin to copy `kept` into a slot, once what was there is no longer read."""

    @abstractmethod
    def ready(self, slot: Slot) -> None:
        """Let what is computed from now on wait until the slot is loaded."""

    @abstractmethod
    def used(self, slot: Slot) -> None:
        """Note that what has been computed so far is all that reads the slot."""

    @abstractmethod
    def put(self, tensor: Tensor) -> Any:
        """Keep a tensor in main memory for `take`; if it is not dense, its strides are lost."""

    @abstractmethod
    def take(self, kept: Any) -> Tensor:
        """Return on the device what `put` kept."""


def is_dense(tensor: Tensor) -> bool:
    """Tell whether a tensor's numbers lie without gaps, each once, in whatever order."""
    return bool(torch.ops.aten.is_non_overlapping_and_dense(tensor))


class CudaBus(Bus):
    """Between pinned main memory and a CUDA device; slots are loaded in a stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._beside = torch.cuda.Stream(device)

    def keep(self, tensor: Tensor) -> Tensor:
        """Return a copy in pinned main memory."""
        return tensor.detach().to("cpu", copy=True).pin_memory()

    def bring(self, kept: Tensor) -> Tensor:
        """Return a copy on the device; nothing waits for it but what uses it."""
        return kept.to(self.device, non_blocking=True)

    def put_back(self, kept: Tensor, tensor: Tensor) -> None:
        """Write over pinned memory, which the host may read after `settle`."""
        kept.copy_(tensor, non_blocking=True)

    def settle(self) -> None:
        """Wait for the device."""
        torch.cuda.synchronize(self.device)

    def load(self, slot: Slot, kept: Tensor) -> None:
        """Copy in the stream beside the one that computes."""
        if slot.used is not None:
            self._beside.wait_event(slot.used)
        with torch.cuda.stream(self._beside):
            slot.view(kept).copy_(kept, non_blocking=True)
        slot.loaded = self._beside.record_event()

    def ready(self, slot: Slot) -> None:
        """Let the computing stream wait."""
        torch.cuda.current_stream(self.device).wait_event(slot.loaded)

    def used(self, slot: Slot) -> None:
        """Mark the place in the computing stream."""
        slot.used = torch.cuda.current_stream(self.device).record_event()

    def put(self, tensor: Tensor) -> Tensor:
        """Copy into pinned memory in the computing stream, so that the device's may be used anew at once."""
        kept = torch.empty_like(tensor, device="cpu", pin_memory=True, requires_grad=False)
        return kept.copy_(tensor, non_blocking=True)

    def take(self, kept: Tensor) -> Tensor:
        """Return a copy on the device; the allocator of pinned memory waits for it before it uses that anew."""
        return self.bring(kept)
