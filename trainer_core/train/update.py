"""What the loop needs of an optimizer: one step from gradients to weights, its state, the weights to keep.

All optimizers take the gradients as they are: scaled by the loss scale and not yet clipped. A step multiplies them
by `factor` (clipping and unscaling in one number on the device) and does nothing where `skip` is true. A weight
without a gradient is left as it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.train.rounding import seed_of

ParameterState = dict[str, Any]
"""State of one parameter: tensors and numbers by name."""

Groups = Sequence[Sequence[Parameter]]
"""Weights in groups of equal learning rate, which share one dtype and device."""


class WeightUpdate(ABC):
    """An optimizer."""

    @abstractmethod
    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight that has a gradient; `seed` decides the stochastic rounding of 16-bit weights.

        `learning_rates` holds one number for each group that the optimizer was made with.
        """

    @abstractmethod
    def state(self) -> list[ParameterState]:
        """Return the state of each parameter, in order, group after group."""

    @abstractmethod
    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned; its tensors may lie in main memory."""

    def kept_weights(self) -> AbstractContextManager[None]:
        """Put the weights to save and to draw with in place, while it lasts; most optimizers train those."""
        return nullcontext()

    def page_out(self) -> None:  # noqa: B027 - most optimizers have nothing of the kind
        """Move state that the driver pages between the device and main memory into main memory."""


class TensorUpdate(WeightUpdate):
    """An optimizer that can update one weight by itself, as soon as its gradient is there.

    Attributes:
        parameters: the weights, group after group; `update` calls them by their number.
        exact_skip: whether a skipped step leaves even the state untouched, which costs one host sync.
    """

    parameters: list[Parameter]
    exact_skip: bool = False

    @abstractmethod
    def begin(self, learning_rates: Sequence[float], seed: int) -> None:
        """Begin a step; each weight may be updated once in it, in any order."""

    @abstractmethod
    def update(self, number: int, factor: Tensor, skip: Tensor) -> None:
        """Update weight `number`, which has a gradient; the result does not depend on the order of the weights."""

    @torch.no_grad()
    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight, one at a time."""
        if self.exact_skip and bool(skip):  # the one host sync that fp16's scaler needs
            return
        self.begin(learning_rates, seed)
        for number, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.update(number, factor, skip)


class RoundedUpdate(TensorUpdate):
    """A `TensorUpdate` with arithmetic of its own, which rounds 16-bit weights stochastically.

    Attributes:
        generator: of the rounding; `seed_rounding` seeds it for each weight.
        steps: steps taken.
    """

    def __init__(self, groups: Groups, *, exact_skip: bool) -> None:
        self.parameters, self._group_of = numbered(groups)
        self.exact_skip = exact_skip
        self.generator = torch.Generator(self.parameters[0].device)
        self.steps = 0
        self._rates: Sequence[float] = ()
        self._seed = 0

    def begin(self, learning_rates: Sequence[float], seed: int) -> None:
        """Count the step."""
        self.steps += 1
        self._rates, self._seed = learning_rates, seed

    def rate_of(self, number: int) -> float:
        """Return the learning rate of a weight in this step."""
        return self._rates[self._group_of[number]]

    def seed_rounding(self, number: int) -> None:
        """Let the rounding of a weight depend on the step's seed and its own number alone."""
        self.generator.manual_seed(seed_of(self._seed, number))


def make_tables(groups: Groups) -> list[dict[str, Any]]:
    """Return the groups as torch's optimizers want them."""
    return [{"params": list(group)} for group in groups]


def set_rates(optimizer: torch.optim.Optimizer, learning_rates: Sequence[float]) -> None:
    """Give each group of `optimizer` its learning rate."""
    for group, learning_rate in zip(optimizer.param_groups, learning_rates, strict=True):
        group["lr"] = learning_rate


def parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[Parameter]:
    """Yield the parameters of `optimizer`, group after group."""
    for group in optimizer.param_groups:
        yield from group["params"]


def on_device(state: ParameterState, device: torch.device) -> ParameterState:
    """Return `state` with copies of its tensors on `device`; those given may be a file that will go."""
    return {
        name: value.to(device, copy=True) if isinstance(value, Tensor) else value for name, value in state.items()
    }


def numbered(groups: Groups) -> tuple[list[Parameter], list[int]]:
    """Return the weights, group after group, and the number of the group of each."""
    pairs = [(parameter, number) for number, group in enumerate(groups) for parameter in group]
    return [parameter for parameter, _ in pairs], [number for _, number in pairs]


def usable(gradient: Tensor, factor: Tensor, skip: Tensor) -> Tensor:
    """Return the gradient in float32, clipped and unscaled, and 0 where the step is skipped.

    A float32 gradient is changed in place.
    """
    return gradient.float().mul_(factor).masked_fill_(skip, 0.0)
