"""Stochastic rounding: how a small update survives in a 16-bit weight."""

from collections.abc import Iterator

import torch
from torch import Tensor

_EXPONENT_BITS = 0x7F800000
_FORMATS = {torch.float16: (2.0**-10, 2.0**-14), torch.bfloat16: (2.0**-7, 2.0**-126)}
"""For each type: the spacing of its numbers in [1, 2), and its smallest normal number."""
_AT_ONCE = 2**22
"""Numbers that are rounded at once: what that takes in memory (16 bytes each) is small beside a large weight."""


def round_stochastically(values: Tensor, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Round float32 `values` to `dtype` up or down at random, so that the expected result is the value itself.

    A value lies between two neighbours of `dtype`; the upper one is taken with the probability of its distance
    from the lower one (Gupta et al. 2015, Deep Learning with Limited Numerical Precision).
    """
    unit, smallest = _FORMATS[dtype]
    power_of_two = (values.view(torch.int32) & _EXPONENT_BITS).view(torch.float32)
    spacing = power_of_two.clamp_min_(smallest).mul_(unit)
    chance = torch.rand(values.shape, generator=generator, device=values.device, dtype=torch.float32)
    return chance.add_(values / spacing).floor_().mul_(spacing).to(dtype)


def seed_of(seed: int, number: int) -> int:
    """Return the seed for weight `number` in a step: the weights may come in any order."""
    return (seed + number * 0x9E3779B97F4A7C15) % 2**63


def in_pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the numbers of equally shaped dense tensors, flat and some at a time, in the order of the first's."""
    if any(tensor.stride() != tensors[0].stride() for tensor in tensors):
        yield tensors
        return
    flat = (tensor.as_strided((tensor.numel(),), (1,)).split(_AT_ONCE) for tensor in tensors)
    yield from zip(*flat, strict=True)


def write_rounded(target: Tensor, values: Tensor, generator: torch.Generator) -> None:
    """Write float32 `values` into the 16-bit `target`, rounded stochastically."""
    for some, exact in in_pieces(target, values):
        some.copy_(round_stochastically(exact, target.dtype, generator))
