"""Frozen weights that lie in main memory: each is brought to the device just before its layer is computed.

Two of them are on the device at a time, in slots: the one in use, and the next one on its way. Which is next is
known from the pass before, since every pass asks for them in the same order, backward and again for checkpointing
included. As in `quantized`, the layers stay the modules that they were; only their class becomes another.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trainer_core.models.bus import Bus, Slot
from trainer_core.models.quantized import QuantizedConv2d, QuantizedLinear, from_8_bits
from trainer_core.models.remade import RemadeConv2d, RemadeLinear


def stream(root: nn.Module, bus: Bus, *, beside: tuple[str, ...] = ()) -> None:
    """Let every Linear and Conv2d of `root`, in 8 bits or not, keep its weight in main memory from now on.

    Args:
        root: frozen modules in their types; what stays of them may be moved to the device afterwards.
        bus: brings the weights.
        beside: names (and beginnings of names) of modules in `root` that stay as they are.
    """
    layers = list(_layers(root, beside))
    for layer in layers:
        _move_out(layer, bus)
    if layers:
        streaming = Streaming(root, bus, max(layer.kept.nbytes for layer in layers))
        for layer in layers:
            layer.streaming = streaming


def streamed_bytes(root: nn.Module) -> int:
    """Return the bytes of all weights of `root` that lie in main memory."""
    return sum(module.kept.nbytes for module in root.modules() if isinstance(module, _Streamed))


class Streaming:
    """Brings the weights of the layers of a root module into two slots, in turn."""

    def __init__(self, root: nn.Module, bus: Bus, largest: int) -> None:
        self.bus = bus
        for name in _ROOMS:
            root.register_buffer(name, torch.empty(largest, dtype=torch.uint8), persistent=False)
        self._current, self._next = (Slot(root, name) for name in _ROOMS)
        self._before: list[Any] = []
        self._now: list[Any] = []
        root.register_forward_pre_hook(lambda *_: self._begin())

    def fetch(self, layer: "_Streamed") -> Tensor:
        """Return what a layer keeps, on the device; it stays until the next one is fetched."""
        self.bus.used(self._current)
        if self._current.holds is not layer:
            self._current, self._next = self._next, self._current
            self._load(self._current, layer)
        self.bus.ready(self._current)
        following = self._following(layer)
        if following not in (None, layer):
            self._load(self._next, following)
        return self._current.view(layer.kept)

    def _begin(self) -> None:
        """A pass begins: what the last one asked for is what this one will."""
        self._before, self._now = self._now or self._before, []

    def _following(self, layer: Any) -> Any:
        """Return what the pass before asked for after this; None where it asked for something else here."""
        place = len(self._now)
        self._now.append(layer)
        is_known = place + 1 < len(self._before) and self._before[place] is layer
        return self._before[place + 1] if is_known else None

    def _load(self, slot: Slot, layer: Any) -> None:
        if slot.holds is not layer:
            self.bus.load(slot, layer.kept)
            slot.holds = layer


_ROOMS = ("streamed_in_use", "streamed_next")


class _Streamed:
    """What all layers have: `kept`, in main memory, in the place of the weight or of its 8 bits."""

    kept: Tensor
    streaming: Streaming

    @property
    def weight(self) -> Tensor:
        """The weight, in main memory."""
        return self.kept

    def made(self) -> Tensor:
        """Return the weight on the device."""
        return self.streaming.fetch(self)


class _StreamedBits(_Streamed):
    """The same of a layer whose weight is kept in 8 bits; the scales stay on the device."""

    scale: Tensor
    is_fp8: bool

    @property
    def weight(self) -> Tensor:
        """The weight as it is used, in main memory."""
        return from_8_bits(self.kept, self.scale.to(self.kept.device), self.is_fp8)

    def made(self) -> Tensor:
        """Return the weight as it is used, on the device."""
        return from_8_bits(self.streaming.fetch(self), self.scale, self.is_fp8)


class StreamedLinear(_Streamed, RemadeLinear):  # type: ignore[override]
    """A Linear whose frozen weight lies in main memory."""


class StreamedConv2d(_Streamed, RemadeConv2d):  # type: ignore[override]
    """A Conv2d whose frozen weight lies in main memory."""


class StreamedLinearOf8Bits(_StreamedBits, RemadeLinear):  # type: ignore[override]
    """A Linear whose frozen weight lies in main memory, in 8 bits."""


class StreamedConv2dOf8Bits(_StreamedBits, RemadeConv2d):  # type: ignore[override]
    """A Conv2d whose frozen weight lies in main memory, in 8 bits."""


_CLASSES: dict[type, tuple[str, type]] = {
    nn.Linear: ("weight", StreamedLinear),
    nn.Conv2d: ("weight", StreamedConv2d),
    QuantizedLinear: ("bits", StreamedLinearOf8Bits),
    QuantizedConv2d: ("bits", StreamedConv2dOf8Bits),
}


def _layers(root: nn.Module, beside: tuple[str, ...]) -> Iterator[Any]:
    for name, module in root.named_modules():
        if type(module) in _CLASSES and not any(name == each or name.startswith(f"{each}.") for each in beside):
            yield module


def _move_out(layer: Any, bus: Bus) -> None:
    name, streamed = _CLASSES[type(layer)]
    kept = bus.keep(getattr(layer, name).detach())
    delattr(layer, name)
    layer.__class__ = streamed
    layer.kept = kept
