"""EMA: a moving average of the trained weights, which is what is saved and drawn with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter


class WeightAverage:
    """An exponential moving average in float32 (Polyak averaging; the warm-up is TensorFlow's).

    Attributes:
        parameters: the trained weights by name.
        tensors: their averages by the same names, at first the weights themselves.
    """

    def __init__(self, parameters: dict[str, Parameter], decay: float, *, exact_skip: bool) -> None:
        self.parameters = parameters
        self.decay = decay
        self.exact_skip = exact_skip
        self.tensors = {
            name: parameter.detach().to(torch.float32, copy=True) for name, parameter in parameters.items()
        }

    def decay_at(self, step: int) -> float:
        """Return the share of the average that is kept at step `step` (from 1)."""
        return min(self.decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int, skip: Tensor) -> None:
        """Take in the weights after step `step` (from 1); nothing of a step skipped for the loss scaler.

        Weights that are no longer trained keep the average of their last step.
        """
        trained = [
            (self.tensors[name], weight) for name, weight in self.parameters.items() if weight.requires_grad
        ]
        if not trained:
            return
        share = 1 - self.decay_at(step)
        if not self.exact_skip and all(weight.dtype == torch.float32 for _, weight in trained):
            torch._foreach_lerp_([average for average, _ in trained], [weight for _, weight in trained], share)
            return
        unless_skipped = torch.full((), share, device=skip.device).masked_fill_(skip, 0.0)
        for average, weight in trained:
            average.lerp_(weight.float(), unless_skipped)

    @contextmanager
    def kept_weights(self) -> Iterator[None]:
        """Put the averages in place of the weights while it lasts; nothing is copied."""
        trained = {name: parameter.data for name, parameter in self.parameters.items()}
        try:
            for name, parameter in self.parameters.items():
                parameter.data = self.tensors[name]
            yield
        finally:
            for name, parameter in self.parameters.items():
                parameter.data = trained[name]

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restore the averages of a checkpoint, or begin with the weights as they are where it holds none."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name] if tensors else self.parameters[name])
