"""AdamW (Loshchilov and Hutter 2019, Decoupled Weight Decay): torch's own, and one for 16-bit weights."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.models.bus import Bus
from trainer_core.train.rounding import in_pieces, round_stochastically
from trainer_core.train.state_place import StatePlace
from trainer_core.train.update import (
    Groups,
    ParameterState,
    RoundedUpdate,
    TensorUpdate,
    make_tables,
    numbered,
    set_rates,
    usable,
)


class FusedAdamW(TensorUpdate):
    """torch's fused AdamW for float32 weights."""

    def __init__(self, groups: Groups, settings: OptimizerSettings, bus: Bus | None = None) -> None:
        self.parameters, self._group_of = numbered(groups)
        self._settings = settings
        self.place = StatePlace(bus)
        self._rates: Sequence[float] = ()
        self.optimizer = torch.optim.AdamW(
            make_tables(groups),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        # torch makes the moments in the first step, when it is too late to take smaller batches beside them.
        for parameter in self.parameters:
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": self.place.zeros_for(parameter),
                "exp_avg_sq": self.place.zeros_for(parameter),
            }

    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight; unscaling and skipping happen inside the fused kernel."""
        if self.place.bus is not None:
            super().step(learning_rates, factor, skip, seed)
            return
        set_rates(self.optimizer, learning_rates)
        # The kernel divides by grad_scale; where the step is skipped the factor may be NaN, which it never reads.
        self.optimizer.grad_scale = factor.reciprocal()  # type: ignore[attr-defined]
        self.optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
        self.optimizer.step()

    def begin(self, learning_rates: Sequence[float], seed: int) -> None:
        """Take the learning rates of a step; float32 weights are not rounded, so its seed is not needed."""
        del seed
        self._rates = learning_rates

    @torch.no_grad()
    def update(self, number: int, factor: Tensor, skip: Tensor) -> None:
        """Update one weight with the same kernel."""
        parameter, settings = self.parameters[number], self._settings
        gradient, state = parameter.grad, self.optimizer.state[parameter]
        if gradient is None:
            return
        skipped = skip.float()
        with self.place.at_hand(state["exp_avg"], state["exp_avg_sq"]) as (first, second):
            torch._fused_adamw_(  # what AdamW.step calls; to sort one tensor into groups first takes longer
                [parameter],
                [gradient],
                [first],
                [second],
                [],
                [state["step"].add_(1)],
                lr=self._rates[self._group_of[number]],
                beta1=settings.betas[0],
                beta2=settings.betas[1],
                weight_decay=settings.weight_decay,
                eps=settings.eps,
                amsgrad=False,
                maximize=False,
                grad_scale=factor.reciprocal(),
                found_inf=skipped,
            )
        state["step"].sub_(skipped)

    def state(self) -> list[ParameterState]:
        """Return the moments and step count of each parameter."""
        self.place.settle()
        return [dict(self.optimizer.state[parameter]) for parameter in self.parameters]

    def load(self, states: list[ParameterState]) -> None:
        """Restore the moments bit for bit into those that are there: they lie in memory once."""
        for parameter, state in zip(self.parameters, states, strict=True):
            for name, own in self.optimizer.state[parameter].items():
                own.copy_(state[name])


class RoundedAdamW(RoundedUpdate):
    """AdamW for 16-bit weights: moments and arithmetic in float32, the weight written with stochastic rounding."""

    def __init__(
        self, groups: Groups, settings: OptimizerSettings, bus: Bus | None = None, *, exact_skip: bool
    ) -> None:
        super().__init__(groups, exact_skip=exact_skip)
        self.settings = settings
        self.place = StatePlace(bus)
        zeros_for = self.place.zeros_for
        self.moments = [(zeros_for(parameter), zeros_for(parameter)) for parameter in self.parameters]

    @torch.no_grad()
    def update(self, number: int, factor: Tensor, skip: Tensor) -> None:
        """Update one weight through small float32 temporaries."""
        parameter, moments = self.parameters[number], self.moments[number]
        if parameter.grad is None:
            return
        self.seed_rounding(number)
        with self.place.at_hand(*moments) as here:
            for weight, gradient, first, second in in_pieces(parameter, parameter.grad, *here):
                self._update(weight, usable(gradient, factor, skip), first, second, self.rate_of(number))

    def _update(self, parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, rate: float) -> None:
        beta1, beta2 = self.settings.betas
        correction1, correction2 = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        weight = parameter.float().mul_(1 - rate * self.settings.weight_decay)
        denominator = second.sqrt().div_(correction2).add_(self.settings.eps)
        weight.addcdiv_(first, denominator, value=-rate / correction1)
        parameter.copy_(round_stochastically(weight, parameter.dtype, self.generator))

    def state(self) -> list[ParameterState]:
        """Return the moments and step count of each parameter."""
        self.place.settle()
        return [{"step": self.steps, "first": first, "second": second} for first, second in self.moments]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned into the moments that are there: they lie in memory once."""
        self.steps = int(states[0]["step"])
        for (first, second), state in zip(self.moments, states, strict=True):
            first.copy_(state["first"])
            second.copy_(state["second"])
