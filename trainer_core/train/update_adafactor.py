"""Adafactor (Shazeer and Stern 2018): second moments of a matrix kept as one number for each row and column."""

import torch
from torch import Tensor

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.rounding import in_pieces, round_stochastically
from trainer_core.train.update import Groups, ParameterState, RoundedUpdate, on_device, usable

_TINY = 1e-30
_DECAY = -0.8
_CLIP = 1.0
"""The paper's epsilon 1, decay exponent and clipping threshold of an update's root mean square."""


class Adafactor(RoundedUpdate):
    """Adafactor without momentum, with the learning rate of the schedule, one weight at a time.

    Neither relative steps nor the scaling by a weight's size are used: they would replace the learning rate. A
    convolution's weight [out, in, k, k] counts as the matrix [out, in k k]; factoring its last two dimensions, as
    libraries do, would keep two numbers for every three weights. 16-bit weights are rounded stochastically.
    """

    def __init__(self, groups: Groups, settings: OptimizerSettings, *, exact_skip: bool) -> None:
        super().__init__(groups, exact_skip=exact_skip)
        self.moments = [_moments(parameter) for parameter in self.parameters]
        self._weight_decay = settings.weight_decay

    @torch.no_grad()
    def update(self, number: int, factor: Tensor, skip: Tensor) -> None:
        """Update one weight; its float32 gradient becomes the update in place, and nothing is made beside it."""
        parameter, rate = self.parameters[number], self.rate_of(number)
        if parameter.grad is None:
            return
        change = _as_matrix(usable(parameter.grad, factor, skip))
        self._divide_by_moments(change, self.moments[number])
        mean_square = torch.linalg.vector_norm(change).square() / change.numel()
        change.mul_(rate / (mean_square.sqrt() / _CLIP).clamp_(min=1.0))
        decay = 1 - rate * self._weight_decay
        if parameter.dtype == torch.float32:
            parameter.mul_(decay).sub_(change.view(parameter.shape))
            return
        self.seed_rounding(number)
        for some, moved in in_pieces(parameter, change.view(parameter.shape)):
            exact = some.float().mul_(decay).sub_(moved)
            some.copy_(round_stochastically(exact, parameter.dtype, self.generator))

    def _divide_by_moments(self, gradient: Tensor, moments: dict[str, Tensor]) -> None:
        """Take in the squares of `gradient`, and divide it by the root of what they are estimated to be."""
        new = self.steps**_DECAY  # 1 - beta2 of this step
        if "exp_avg_sq" in moments:
            kept = moments["exp_avg_sq"].lerp_(gradient.square().add_(_TINY), new)
            gradient.mul_(kept.rsqrt())
            return
        rows, columns = moments["exp_avg_sq_row"], moments["exp_avg_sq_col"]
        rows.lerp_(_mean_squares(gradient, 1), new)
        columns.lerp_(_mean_squares(gradient, 0), new)
        gradient.mul_((rows / rows.mean()).rsqrt_().unsqueeze(1)).mul_(columns.rsqrt())

    def state(self) -> list[ParameterState]:
        """Return the moments of each parameter and the number of steps."""
        return [{"step": self.steps, **moments} for moments in self.moments]

    def load(self, states: list[ParameterState]) -> None:
        """Restore what `state` returned, bit for bit."""
        self.steps = max((int(state.get("step", 0)) for state in states), default=0)
        for parameter, own, state in zip(self.parameters, self.moments, states, strict=True):
            if any(name not in state or state[name].shape != value.shape for name, value in own.items()):
                raise UserError(
                    "the state of Adafactor is one that an older version wrote, which kept other numbers: go on "
                    "with the version that began this run, or start a new run from a saved model.",
                    ExitCode.RESUME,
                )
            own.update(on_device({name: state[name] for name in own}, parameter.device))


def _moments(parameter: Tensor) -> dict[str, Tensor]:
    if parameter.dim() < 2:
        return {"exp_avg_sq": torch.zeros_like(parameter, dtype=torch.float32)}
    rows, columns = len(parameter), parameter[0].numel()
    return {
        "exp_avg_sq_row": torch.zeros(rows, device=parameter.device),
        "exp_avg_sq_col": torch.zeros(columns, device=parameter.device),
    }


def _as_matrix(tensor: Tensor) -> Tensor:
    return tensor.flatten(1) if tensor.dim() > 2 else tensor


def _mean_squares(matrix: Tensor, along: int) -> Tensor:
    """Return the means of the squares along a dimension, without making the squares."""
    squares: Tensor = torch.linalg.vector_norm(matrix, dim=along).square_()
    return squares.div_(matrix.shape[along]).add_(_TINY)
