"""bitsandbytes' optimizers: AdamW and Lion, their state in 8 bits or paged to main memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.lean import uncompiled
from trainer_core.models.quiet import quiet_imports
from trainer_core.train.rounding import seed_of, write_rounded
from trainer_core.train.update import (
    Groups,
    ParameterState,
    TensorUpdate,
    make_tables,
    set_rates,
    usable,
)

CLASSES = {
    "adamw8bit": "AdamW8bit",
    "paged_adamw": "PagedAdamW",
    "paged_adamw8bit": "PagedAdamW8bit",
    "lion": "Lion",
    "lion8bit": "Lion8bit",
}
"""bitsandbytes' class for each `optimizer.type` that is one of its."""

_Place = tuple[dict[str, Any], Parameter, int, int]
"""How bitsandbytes calls a parameter: its group, itself, the group's number, its number within the group."""


class BitsandbytesUpdate(TensorUpdate):
    """AdamW (Dettmers et al. 2022, 8-bit Optimizers) or Lion (Chen et al. 2023) as bitsandbytes computes them.

    16-bit weights go through a float32 temporary and stochastic rounding. bitsandbytes' own `step` synchronises
    with the device after every parameter and rounds to nearest, so its per-parameter update is called instead.
    """

    def __init__(
        self,
        groups: Groups,
        settings: OptimizerSettings,
        *,
        exact_skip: bool,
        make: Callable[[Groups, OptimizerSettings], Any] | None = None,
    ) -> None:
        """Make the library's optimizer, or with `make` what stands in for it."""
        self.exact_skip = exact_skip
        self.generator = torch.Generator(groups[0][0].device)
        self.optimizer = (make or _make)(groups, settings)
        self.optimizer.initialized = True
        self._places = list(_places_of(self.optimizer))
        self.parameters = [parameter for _, parameter, _, _ in self._places]
        self._seed = 0
        for place in self._places:
            self.optimizer.init_state(*place)

    def begin(self, learning_rates: Sequence[float], seed: int) -> None:
        """Take the learning rates of a step, and what decides its rounding."""
        self._seed = seed
        set_rates(self.optimizer, learning_rates)

    @torch.no_grad()
    def update(self, number: int, factor: Tensor, skip: Tensor) -> None:
        """Update one weight."""
        place = self._places[number]
        parameter = place[1]
        if parameter.grad is None:
            return
        gradient = usable(parameter.grad, factor, skip)
        self.optimizer.prefetch_state(parameter)
        if parameter.dtype == torch.float32:
            self.optimizer.update_step(*place)
        else:
            self.generator.manual_seed(seed_of(self._seed, number))
            self._update_rounded(place, gradient)

    def _update_rounded(self, place: _Place, gradient: Tensor) -> None:
        group, parameter, *numbers = place
        exact = Parameter(parameter.float(), requires_grad=False)
        exact.grad = gradient
        state = self.optimizer.state
        state[exact] = state[parameter]
        self.optimizer.update_step(group, exact, *numbers)
        del state[exact]
        write_rounded(parameter, exact.data, self.generator)

    def state(self) -> list[ParameterState]:
        """Return the moments of each parameter; the shared quantisation maps are constants and left out."""
        return [
            {name: value for name, value in self.optimizer.state[parameter].items() if not name.startswith("qmap")}
            for parameter in self.parameters
        ]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned into the tensors that are there, which may be paged."""
        for parameter, state in zip(self.parameters, states, strict=True):
            own = self.optimizer.state[parameter]
            for name, value in state.items():
                if isinstance(value, Tensor):
                    own[name].copy_(value)
                else:
                    own[name] = int(value)

    def page_out(self) -> None:
        """Move paged state into main memory; it comes back as it is used."""
        from bitsandbytes.functional import prefetch_tensor

        for parameter in self.parameters:
            for value in self.optimizer.state[parameter].values():
                if getattr(value, "is_paged", False) and torch.cuda.is_available():
                    prefetch_tensor(value, to_cpu=True)


def _places_of(optimizer: Any) -> Iterator[_Place]:
    for number, group in enumerate(optimizer.param_groups):
        for index, parameter in enumerate(group["params"]):
            yield group, parameter, number, index


def _make(groups: Groups, settings: OptimizerSettings) -> Any:
    try:
        quiet_imports()
        with uncompiled():
            import bitsandbytes.optim

        kind = getattr(bitsandbytes.optim, CLASSES[settings.type])
    except Exception as error:  # a broken native library raises whatever it likes
        raise UserError(
            f'bitsandbytes could not be loaded ({error}): set optimizer.type = "adamw", which needs about 6 more '
            "bytes per trained weight than 8-bit AdamW, or reinstall bitsandbytes (`dbtui doctor` says more).",
            ExitCode.CONFIG,
        ) from error
    with_eps = {} if settings.type.startswith("lion") else {"eps": settings.eps}
    return kind(
        make_tables(groups),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        **with_eps,
    )
