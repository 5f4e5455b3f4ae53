"""AdamW (Loshchilov and Hutter 2019, Decoupled Weight Decay): torch's own, and one for 16-bit weights."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.train.rounding import round_stochastically
from trainer_core.train.update import (
    Groups,
    ParameterState,
    WeightUpdate,
    make_tables,
    parameters_of,
    set_rates,
    usable,
)


class FusedAdamW(WeightUpdate):
    """torch's fused AdamW for float32 weights."""

    def __init__(self, groups: Groups, settings: OptimizerSettings) -> None:
        self.optimizer = torch.optim.AdamW(
            make_tables(groups),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        # torch makes the moments in the first step, when it is too late to take smaller batches beside them.
        for parameter in parameters_of(self.optimizer):
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight; unscaling and skipping happen inside the fused kernel."""
        del seed  # float32 weights are not rounded
        set_rates(self.optimizer, learning_rates)
        # The kernel divides by grad_scale; where the step is skipped the factor may be NaN, which it never reads.
        self.optimizer.grad_scale = factor.reciprocal()  # type: ignore[attr-defined]
        self.optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
        self.optimizer.step()

    def state(self) -> list[ParameterState]:
        """Return the moments and step count of each parameter."""
        return [dict(self.optimizer.state[parameter]) for parameter in parameters_of(self.optimizer)]

    def load(self, states: list[ParameterState]) -> None:
        """Restore the moments bit for bit into those that are there: they lie in memory once."""
        for parameter, state in zip(parameters_of(self.optimizer), states, strict=True):
            for name, own in self.optimizer.state[parameter].items():
                own.copy_(state[name])


class RoundedAdamW(WeightUpdate):
    """AdamW for 16-bit weights: moments and arithmetic in float32, the weight written with stochastic rounding."""

    def __init__(self, groups: Groups, settings: OptimizerSettings, *, exact_skip: bool) -> None:
        self.parameters = [(parameter, number) for number, group in enumerate(groups) for parameter in group]
        self.settings = settings
        self.exact_skip = exact_skip
        self.steps = 0
        self.generator = torch.Generator(groups[0][0].device)
        self.moments = [(_zeros32(parameter), _zeros32(parameter)) for parameter, _ in self.parameters]

    @torch.no_grad()
    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight through one float32 temporary at a time."""
        if self.exact_skip and bool(skip):  # the one host sync that fp16's scaler needs
            return
        self.steps += 1
        self.generator.manual_seed(seed)
        beta1, beta2 = self.settings.betas
        correction1, correction2 = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        for (parameter, group), (first, second) in zip(self.parameters, self.moments, strict=True):
            if parameter.grad is None:
                continue
            learning_rate = learning_rates[group]
            gradient = usable(parameter.grad, factor, skip)
            first.lerp_(gradient, 1 - beta1)
            second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            weight = parameter.float().mul_(1 - learning_rate * self.settings.weight_decay)
            denominator = second.sqrt().div_(correction2).add_(self.settings.eps)
            weight.addcdiv_(first, denominator, value=-learning_rate / correction1)
            parameter.copy_(round_stochastically(weight, parameter.dtype, self.generator))

    def state(self) -> list[ParameterState]:
        """Return the moments and step count of each parameter."""
        return [{"step": self.steps, "first": first, "second": second} for first, second in self.moments]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned into the moments that are there: they lie in memory once."""
        self.steps = int(states[0]["step"])
        for (first, second), state in zip(self.moments, states, strict=True):
            first.copy_(state["first"])
            second.copy_(state["second"])


def _zeros32(parameter: Parameter) -> Tensor:
    return torch.zeros_like(parameter, dtype=torch.float32)
