"""What [memory] moves to main memory: frozen weights, what the backward pass needs, the optimizer's state."""

import weakref
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.schema import Memory
from trainer_core.models.bus import Bus, CudaBus, is_dense
from trainer_core.run.events import EventWriter

LEAST = 2**20
"""Bytes of a tensor from which on it is moved: a smaller one is not worth the way."""
SETTINGS = ("stream_weights", "stream_activations", "stream_state")


def bus_for(memory: Memory, device: torch.device, events: EventWriter) -> Bus | None:
    """Return the way to main memory; None where nothing is to be moved, or the device is main memory itself."""
    asked = [f"memory.{name}" for name in SETTINGS if getattr(memory, name)]
    if not asked:
        return None
    if device.type == "cuda":
        return CudaBus(device)
    text = f"{' and '.join(asked)}: no effect on a CPU, which computes in main memory"
    events.emit("warning", code="note", text=text, step=0)
    return None


def for_backward(bus: Bus | None, memory: Memory) -> AbstractContextManager[Any]:
    """Let what a forward pass keeps for the backward pass lie in main memory, if `memory` asks for it."""
    if bus is None or not memory.stream_activations:
        return nullcontext()
    away = _Away(bus)
    return torch.autograd.graph.saved_tensors_hooks(away.pack, away.unpack)


@dataclass(slots=True, weakref_slot=True)
class _Kept:
    """A tensor in main memory.

    Attributes:
        where: what the bus knows it by.
        strides: those of a part of a wider tensor, which lies there without the rest; else None.
    """

    where: Any
    strides: tuple[int, ...] | None


class _Away:
    """Moves tensors out and back. What several operations keep of one tensor is moved once."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._known: dict[Any, tuple[Any, Any]] = {}

    def pack(self, tensor: Tensor) -> Any:
        """Return what stands for a tensor; weights, and what is small, stay where they are."""
        whole = tensor if tensor._base is None else tensor._base
        if tensor.nbytes < LEAST or isinstance(whole, Parameter):
            return tensor
        storage = tensor.untyped_storage()
        key = (
            storage._cdata,
            tensor.storage_offset(),
            tensor.shape,
            tensor.stride(),
            tensor.dtype,
            tensor._version,
        )
        of, kept = self._known.get(key, (_nothing, _nothing))
        found: _Kept | None = kept()
        if found is None or of() is not storage:  # an address may be that of another tensor by now
            found = _Kept(self.bus.put(tensor), None if is_dense(tensor) else tensor.stride())
            self._known[key] = weakref.ref(storage), weakref.ref(found)
        return found

    def unpack(self, packed: Any) -> Tensor:
        """Return the tensor on the device."""
        if not isinstance(packed, _Kept):
            return cast(Tensor, packed)
        brought = self.bus.take(packed.where)
        if packed.strides is None:
            return brought
        # Some operations compute the last digits otherwise where the strides are others.
        return brought.new_empty_strided(brought.shape, packed.strides).copy_(brought)


def _nothing() -> None:
    """Stand in for a reference to what was not seen."""
