"""Stochastic rounding: how a small update survives in a 16-bit weight."""

import torch
from torch import Tensor

_EXPONENT_BITS = 0x7F800000
_FORMATS = {torch.float16: (2.0**-10, 2.0**-14), torch.bfloat16: (2.0**-7, 2.0**-126)}
"""For each type: the spacing of its numbers in [1, 2), and its smallest normal number."""


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
