"""Stands in for the way to main memory where the CPU stands in for the device."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from trainer_core.models.bus import Bus, Slot, is_dense


class _Shape(NamedTuple):
    """What is remembered of a tensor without values that was put away: nothing of it is on the device."""

    size: torch.Size
    strides: tuple[int, ...] | None
    dtype: torch.dtype


class CopyBus(Bus):
    """Copies at once, from a place of main memory to another; the trainer's own way there and back otherwise."""

    def keep(self, tensor: Tensor) -> Tensor:
        """Return a copy."""
        return tensor.detach().clone()

    def bring(self, kept: Tensor) -> Tensor:
        """Return a copy."""
        return kept.clone()

    def put_back(self, kept: Tensor, tensor: Tensor) -> None:
        """Write over the copy; without values there is nothing to write, and nothing to count on the device."""
        if not isinstance(kept, FakeTensor):
            kept.copy_(tensor)

    def settle(self) -> None:
        """Everything is there already."""

    def load(self, slot: Slot, kept: Tensor) -> None:
        """Copy."""
        slot.view(kept).copy_(kept)

    def ready(self, slot: Slot) -> None:
        """It is."""

    def used(self, slot: Slot) -> None:
        """There is nothing to mark."""

    def put(self, tensor: Tensor) -> Any:
        """Return a copy, or the shape of what has no values."""
        if isinstance(tensor, FakeTensor):
            return _Shape(tensor.shape, tensor.stride() if is_dense(tensor) else None, tensor.dtype)
        return tensor.detach().clone()

    def take(self, kept: Any) -> Tensor:
        """Return a copy, or a new tensor of that shape."""
        if isinstance(kept, _Shape):
            if kept.strides is None:
                return torch.empty(kept.size, dtype=kept.dtype)
            return torch.empty_strided(kept.size, kept.strides, dtype=kept.dtype)
        return self.bring(kept)
