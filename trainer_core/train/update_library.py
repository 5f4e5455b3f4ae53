"""Optimizers used as their authors wrote them, for float32 weights: Prodigy and schedule-free AdamW."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.update import (
    Groups,
    ParameterState,
    WeightUpdate,
    make_tables,
    on_device,
    parameters_of,
    set_rates,
    usable,
)

_GROUP = "group."
"""Before the names of the numbers that a whole group shares; each of its parameters carries them."""


class LibraryUpdate(WeightUpdate):
    """A torch optimizer whose own `step` is called.

    Attributes:
        numbers: names of the numbers in a group that change from step to step.
    """

    numbers: tuple[str, ...] = ()

    def __init__(self, optimizer: Any, *, exact_skip: bool) -> None:
        self.optimizer = optimizer
        self.exact_skip = exact_skip

    @torch.no_grad()
    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Update every weight."""
        del seed  # float32 weights are not rounded
        if self.exact_skip and bool(skip):  # the one host sync that fp16's scaler needs
            return
        set_rates(self.optimizer, learning_rates)
        for parameter in parameters_of(self.optimizer):
            if parameter.grad is not None:
                usable(parameter.grad, factor, skip)
        self.optimizer.step()

    def state(self) -> list[ParameterState]:
        """Return what the library keeps of each parameter and of its group; nothing of one not yet updated."""
        return [
            {**self.optimizer.state[parameter], **{_GROUP + name: group[name] for name in self.numbers}}
            for group in self.optimizer.param_groups
            for parameter in group["params"]
        ]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned, bit for bit (torch's own loading would cast it)."""
        given = iter(states)
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                state = on_device(next(given), parameter.device)
                group.update({name: state[_GROUP + name] for name in self.numbers})
                own = {name: value for name, value in state.items() if not name.startswith(_GROUP)}
                if own:
                    self.optimizer.state[parameter] = own


class Prodigy(LibraryUpdate):
    """Prodigy (Mishchenko and Defazio 2023), which estimates the step size d; the rate given multiplies it.

    The library reads two numbers per weight from the device at each step.
    """

    numbers = ("d", "d_max", "d_numerator", "k")

    def __init__(self, groups: Groups, settings: OptimizerSettings, *, exact_skip: bool) -> None:
        optimizer = _library("prodigyopt").Prodigy(
            make_tables(groups),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            use_bias_correction=True,
            safeguard_warmup=True,
        )
        for group in optimizer.param_groups:  # the constructor prints a line about a decay that it is given
            group["weight_decay"] = settings.weight_decay
        super().__init__(optimizer, exact_skip=exact_skip)


class ScheduleFreeAdamW(LibraryUpdate):
    """Schedule-free AdamW (Defazio et al. 2024): trained are the weights y, to be kept is their average x."""

    numbers = ("k", "weight_sum", "lr_max")

    def __init__(self, groups: Groups, settings: OptimizerSettings, *, exact_skip: bool) -> None:
        optimizer = _library("schedulefree").AdamWScheduleFree(
            make_tables(groups),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )
        optimizer.train()
        super().__init__(optimizer, exact_skip=exact_skip)

    @contextmanager
    def kept_weights(self) -> Iterator[None]:
        """Put x = y + (1 - 1/beta1)(z - y) in place of y while it lasts.

        y waits in main memory: undoing the arithmetic, as the library does, would not give it back exactly.
        """
        trained = [parameter.detach().to("cpu", copy=True) for parameter in parameters_of(self.optimizer)]
        try:
            self.optimizer.eval()
            yield
        finally:
            self.optimizer.train()
            with torch.no_grad():
                for parameter, y in zip(parameters_of(self.optimizer), trained, strict=True):
                    parameter.copy_(y)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"{name} could not be loaded ({error}): pip install {name}, or set optimizer.type to another.",
            ExitCode.CONFIG,
        ) from error
