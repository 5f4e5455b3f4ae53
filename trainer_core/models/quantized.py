"""Frozen weights kept in 8 bits: each output channel has a scale, and the weight is made anew where it is used.

The layers stay the modules that they were (only their class becomes that of a Linear or Conv2d that keeps 8 bits),
so hooks and names go on.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainer_core.models.remade import RemadeConv2d, RemadeLinear

Kind = Literal["int8", "fp8"]
LARGEST: dict[Kind, float] = {"int8": 127.0, "fp8": 448.0}
"""The largest number of each type; fp8 is float8_e4m3fn."""
_FP8 = torch.float8_e4m3fn


def quantize(root: nn.Module, kind: Kind, dtype: torch.dtype, *, beside: tuple[str, ...] = ()) -> None:
    """Let every Linear and Conv2d of `root` keep its weight in 8 bits, and use it as `dtype`.

    Args:
        root: frozen modules; weights in float32 give the best result.
        kind: "int8" or "fp8".
        dtype: type in which the weight is used, and its scales are kept.
        beside: names (and beginnings of names) of modules in `root` that stay as they are.
    """
    for name, module in list(root.named_modules()):
        if type(module) in _CLASSES and not any(name == each or name.startswith(f"{each}.") for each in beside):
            _quantize(module, kind, dtype)


def quantized_tensors(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of each quantized weight in `root`, and the weight as it is used."""
    for name, module in root.named_modules():
        if isinstance(module, QuantizedLinear | QuantizedConv2d):
            yield f"{name}.weight", module.weight


def to_8_bits(weight: Tensor, kind: Kind, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return `weight` in 8 bits (int8; fp8 as the int8 of the same bits), and a scale for each output channel.

    The scale is rounded to `dtype` first, so that what is used differs from `weight` by the 8 bits alone.
    """
    exact = weight.detach().float()
    largest = exact.abs().amax(dim=tuple(range(1, exact.dim())), keepdim=True)
    scale = (largest / LARGEST[kind]).to(dtype)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    shares = (exact / scale.float()).clamp_(-LARGEST[kind], LARGEST[kind])
    bits = shares.to(_FP8).view(torch.int8) if kind == "fp8" else shares.round_().to(torch.int8)
    return bits, scale


def from_8_bits(bits: Tensor, scale: Tensor, is_fp8: bool) -> Tensor:
    """Return the weight as it is used, in the type of its scale."""
    return (bits.view(_FP8) if is_fp8 else bits).to(scale.dtype).mul_(scale)


class _Quantized:
    """What both kinds of layers have: `bits` and `scale` as buffers in the place of the parameter `weight`."""

    bits: Tensor
    scale: Tensor
    is_fp8: bool

    @property
    def weight(self) -> Tensor:
        """The weight as it is used, made anew each time."""
        return from_8_bits(self.bits, self.scale, self.is_fp8)

    def made(self) -> Tensor:
        """Return it."""
        return self.weight


class QuantizedLinear(_Quantized, RemadeLinear):  # type: ignore[override]
    """A Linear whose frozen weight is kept in 8 bits."""


class QuantizedConv2d(_Quantized, RemadeConv2d):  # type: ignore[override]
    """A Conv2d whose frozen weight is kept in 8 bits."""


_CLASSES: dict[type, type] = {nn.Linear: QuantizedLinear, nn.Conv2d: QuantizedConv2d}


def _quantize(module: Any, kind: Kind, dtype: torch.dtype) -> None:
    bits, scale = to_8_bits(module.weight, kind, dtype)
    del module.weight
    module.__class__ = _CLASSES[type(module)]
    module.is_fp8 = kind == "fp8"
    module.register_buffer("bits", bits)
    module.register_buffer("scale", scale)
