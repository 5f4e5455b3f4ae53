"""The optimizers: one step from gradients to weights, without a host sync.

All of them take the gradients as they are: `scaled` by the loss scale and not yet clipped. A step multiplies them
by `factor` (clipping and unscaling in one number on the device) and does nothing where `skip` is true.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.quiet import quiet_imports
from trainer_core.train.rounding import round_stochastically

ParameterState = dict[str, Any]
"""State of one parameter: tensors and numbers by name."""


class WeightUpdate(Protocol):
    """What the loop needs of an optimizer."""

    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight that has a gradient; `seed` decides the stochastic rounding of 16-bit weights.

        `learning_rates` holds one number for each group that the optimizer was made with.
        """

    def state(self) -> list[ParameterState]:
        """Return the state of each parameter, in order, group after group."""

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned."""


def make_optimizer(
    groups: Sequence[Sequence[Parameter]], settings: OptimizerSettings, *, exact_skip: bool
) -> WeightUpdate:
    """Build the optimizer for weights in groups of equal learning rate, which share one dtype and device.

    Args:
        groups: the weights to train: float32, or float16 / bfloat16 for full_fp16 / full_bf16.
        settings: the [optimizer] table.
        exact_skip: whether a skipped step must leave weights and state untouched (a loss scaler is in use)
            rather than only unharmed.
    """
    if settings.type == "adamw8bit":
        return AdamW8bit(groups, settings, exact_skip=exact_skip)
    if groups[0][0].dtype == torch.float32:
        return FusedAdamW(groups, settings)
    return RoundedAdamW(groups, settings, exact_skip=exact_skip)


class FusedAdamW:
    """torch's fused AdamW for float32 weights (Loshchilov and Hutter 2019, Decoupled Weight Decay)."""

    def __init__(self, groups: Sequence[Sequence[Parameter]], settings: OptimizerSettings) -> None:
        self.optimizer = torch.optim.AdamW(
            _tables(groups),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight; unscaling and skipping happen inside the fused kernel."""
        del seed  # float32 weights are not rounded
        for group, learning_rate in zip(self.optimizer.param_groups, learning_rates, strict=True):
            group["lr"] = learning_rate
        # The kernel divides by grad_scale; where the step is skipped the factor may be NaN, which it never reads.
        self.optimizer.grad_scale = factor.reciprocal()  # type: ignore[attr-defined]
        self.optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
        self.optimizer.step()

    def state(self) -> list[ParameterState]:
        """Return the moments and step count of each parameter."""
        return [dict(self.optimizer.state[parameter]) for parameter in _parameters(self.optimizer)]

    def load(self, states: list[ParameterState]) -> None:
        """Restore the moments bit for bit (torch's own loading would cast them)."""
        for parameter, state in zip(_parameters(self.optimizer), states, strict=True):
            self.optimizer.state[parameter] = dict(state)


class RoundedAdamW:
    """AdamW for 16-bit weights: moments and arithmetic in float32, the weight written with stochastic rounding."""

    def __init__(
        self, groups: Sequence[Sequence[Parameter]], settings: OptimizerSettings, *, exact_skip: bool
    ) -> None:
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
            gradient = parameter.grad.float().mul_(factor).masked_fill_(skip, 0.0)
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
        """Restore what `state` returned."""
        self.steps = int(states[0]["step"])
        self.moments = [(state["first"], state["second"]) for state in states]


class AdamW8bit:
    """bitsandbytes' AdamW with block-wise 8-bit moments (Dettmers et al. 2022, 8-bit Optimizers).

    16-bit weights go through a float32 temporary and stochastic rounding. bitsandbytes' own `step` synchronises
    with the device after every parameter and rounds to nearest, so its per-parameter update is called instead.
    """

    def __init__(
        self, groups: Sequence[Sequence[Parameter]], settings: OptimizerSettings, *, exact_skip: bool
    ) -> None:
        self.exact_skip = exact_skip
        self.generator = torch.Generator(groups[0][0].device)
        self.optimizer = _bitsandbytes_adamw(groups, settings)
        self.optimizer.initialized = True
        for place in _places(self.optimizer):
            self.optimizer.init_state(*place)

    @torch.no_grad()
    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight, one parameter at a time."""
        if self.exact_skip and bool(skip):  # the one host sync that fp16's scaler needs
            return
        self.generator.manual_seed(seed)
        for group, learning_rate in zip(self.optimizer.param_groups, learning_rates, strict=True):
            group["lr"] = learning_rate
        for place in _places(self.optimizer):
            parameter = place[1]
            if parameter.grad is None:
                continue
            gradient = parameter.grad.float().mul_(factor).masked_fill_(skip, 0.0)
            if parameter.dtype == torch.float32:
                self.optimizer.update_step(*place)
            else:
                self._update_rounded(place, gradient)

    def _update_rounded(self, place: "_Place", gradient: Tensor) -> None:
        group, parameter, *numbers = place
        exact = Parameter(parameter.float(), requires_grad=False)
        exact.grad = gradient
        state = self.optimizer.state
        state[exact] = state[parameter]
        self.optimizer.update_step(group, exact, *numbers)
        del state[exact]
        parameter.copy_(round_stochastically(exact.data, parameter.dtype, self.generator))

    def state(self) -> list[ParameterState]:
        """Return the 8-bit moments of each parameter; the shared quantisation maps are constants and left out."""
        return [
            {name: value for name, value in self.optimizer.state[parameter].items() if not name.startswith("qmap")}
            for parameter in _parameters(self.optimizer)
        ]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned."""
        for parameter, state in zip(_parameters(self.optimizer), states, strict=True):
            self.optimizer.state[parameter].update(state)
            self.optimizer.state[parameter]["step"] = int(state["step"])


_Place = tuple[dict[str, Any], Parameter, int, int]
"""How bitsandbytes calls a parameter: its group, itself, the group's number, its number within the group."""


def _places(optimizer: Any) -> Iterator[_Place]:
    for number, group in enumerate(optimizer.param_groups):
        for index, parameter in enumerate(group["params"]):
            yield group, parameter, number, index


def _tables(groups: Sequence[Sequence[Parameter]]) -> list[dict[str, Any]]:
    """Return the groups as torch wants them."""
    return [{"params": list(group)} for group in groups]


def _bitsandbytes_adamw(groups: Sequence[Sequence[Parameter]], settings: OptimizerSettings) -> Any:
    try:
        quiet_imports()
        from bitsandbytes.optim import AdamW8bit as BitsandbytesAdamW
    except Exception as error:  # a broken native library raises whatever it likes
        raise UserError(
            f'bitsandbytes could not be loaded ({error}): set optimizer.type = "adamw", which needs about 6 more '
            "bytes per trained weight, or reinstall bitsandbytes (`dbtui doctor` says more).",
            ExitCode.CONFIG,
        ) from error
    return BitsandbytesAdamW(
        _tables(groups),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


def _parameters(optimizer: Any) -> Iterator[Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _zeros32(parameter: Parameter) -> Tensor:
    return torch.zeros_like(parameter, dtype=torch.float32)
