"""Layers whose frozen weight is not there as such: it is made where it is used, once more in the backward pass.

So no pass keeps it: neither a copy in another type, nor one that was brought from elsewhere.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input


class _Remade:
    """What both kinds of layers have."""

    @abstractmethod
    def made(self) -> Tensor:
        """Return the weight on the device of the pass; it may be overwritten once the layer is computed."""


class RemadeLinear(_Remade, nn.Linear):
    """A Linear whose weight is made where it is used."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as torch calls it
        """Return what a Linear with the same weight does."""
        result: Tensor = _Linear.apply(input, self.bias, self.made)  # type: ignore[no-untyped-call]
        return result


class RemadeConv2d(_Remade, nn.Conv2d):
    """A Conv2d whose weight is made where it is used."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as torch calls it
        """Return what a Conv2d with the same weight does."""
        shape = (self.stride, self.padding, self.dilation, self.groups)
        result: Tensor = _Conv2d.apply(input, self.bias, self.made, shape)  # type: ignore[no-untyped-call]
        return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, bias: Tensor | None, made: Callable[[], Tensor]) -> Tensor:
        ctx.made, ctx.dtype = made, inputs.dtype
        weight = made()
        with torch.autocast(inputs.device.type, enabled=False):
            return F.linear(inputs.to(weight.dtype), weight, _as(bias, weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        weight = ctx.made()
        back = gradients[0].to(weight.dtype) @ weight
        return back.to(ctx.dtype), None, None


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, bias: Tensor | None, made: Callable[[], Tensor], shape: Any) -> Tensor:
        ctx.made, ctx.dtype, ctx.shape, ctx.size = made, inputs.dtype, shape, inputs.shape
        weight = made()
        with torch.autocast(inputs.device.type, enabled=False):
            return F.conv2d(inputs.to(weight.dtype), weight, _as(bias, weight), *shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        weight = ctx.made()
        back = conv2d_input(ctx.size, weight, gradients[0].to(weight.dtype), *ctx.shape)
        return back.to(ctx.dtype), None, None, None


def _as(bias: Tensor | None, like: Tensor) -> Tensor | None:
    return None if bias is None else bias.to(like.dtype)
