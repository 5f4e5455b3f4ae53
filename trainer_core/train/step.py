"""One optimizer step: gradients of all weights first, then the update of all weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.data.batches import Batch
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.job import Job
from trainer_core.train.not_finite import norm_of
from trainer_core.train.out_of_memory import is_out_of_memory, told_advice
from trainer_core.train.passes import Gradients, Passes


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step leaves besides the new weights, on the device.

    Attributes:
        loss: mean weighted loss of its samples, a scalar.
        losses: the weighted losses of each batch, [B].
        norm: global norm of the gradients, unscaled and before clipping.
        broken: whether loss or norm is not finite, a boolean scalar; such a step was skipped.
    """

    loss: Tensor
    losses: list[Tensor]
    norm: Tensor
    broken: Tensor


class TakeStep(Protocol):
    """Takes optimizer step `step` (from 0) with these learning rates, one for each group.

    Raises UserError(OUT_OF_MEMORY) where a single sample does not fit, or weights were half changed, and
    StopRequestedError as `Passes.of_step` does.
    """

    def __call__(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        """Take it."""


@dataclass(frozen=True, slots=True)
class WholeStep:
    """The usual step."""

    job: Job
    passes: Passes
    parameters: list[Parameter]

    def __call__(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        """Compute the gradients, in parts where the memory does not do, and update the weights."""
        job = self.job
        with job.world.together() if job.sharded else nullcontext():  # the passes exchange weights then
            computed = self.passes.of_step(step, batches)
        if not job.world.is_alone:
            computed = sum_of_all(job, computed, batches)
        norm = gradient_norm(self.parameters)
        norm = (job.sharded.norm(norm) if job.sharded else norm) / job.scaler.scale
        broken = ~(norm + computed.loss).isfinite()
        with weights_changing(job, "the optimizer"):
            job.optimizer.step(rates, factor_of(job, norm), broken, rounding_seed(job, step))
            finish(job, broken)
        for parameter in self.parameters:
            parameter.grad = None
        return Taken(computed.loss, computed.losses, norm, broken)


def sum_of_all(job: Job, own: Gradients, batches: Sequence[Batch]) -> Gradients:
    """Add up gradients, loss and losses of all processes, so that each goes on with the same numbers."""
    counts = [len(batch.items) for batch in batches]
    numbers = torch.zeros(1 + sum(counts), device=job.device)
    numbers[0] = own.loss
    for batch, losses, every in zip(batches, own.losses, numbers[1:].split(counts), strict=True):
        if batch.part and batch.part.counts:
            every[batch.part.rows] = losses
    job.world.add_up(numbers)
    if job.sharded:
        job.sharded.take_gradients()
    else:
        gradients = [parameter.grad for parameter in job.parameters.values() if parameter.grad is not None]
        job.world.add_up_gradients(gradients)
    return Gradients(numbers[0], list(numbers[1:].split(counts)))


def gradient_norm(parameters: list[Parameter]) -> Tensor:
    """Return the L2 norm of all gradients together, computed in float32, a scalar on the device."""
    return norm_of([parameter.grad for parameter in parameters if parameter.grad is not None])


def factor_of(job: Job, norm: Tensor) -> Tensor:
    """Return what the gradients are multiplied with: clipping to `optimizer.max_grad_norm`, and unscaling."""
    most = job.config.optimizer.max_grad_norm
    clip = (most / (norm + 1e-6)).clamp(max=1.0) if most else torch.ones_like(norm)
    return clip / job.scaler.scale


def rounding_seed(job: Job, step: int) -> int:
    """Return what decides the stochastic rounding of a step; parts of one weight are not rounded alike."""
    part = [job.world.share.rank] if job.sharded else []
    return derive_seed(job.config.train.seed, "rounding", step, *part)


def finish(job: Job, broken: Tensor) -> None:
    """Do what follows the update of the weights in a step."""
    if job.adapters is not None:
        job.adapters.limit_norms()
    if job.average is not None:
        job.average.update(job.step + 1, broken)
    job.scaler.update(broken)


@contextmanager
def weights_changing(job: Job, what: str) -> Iterator[None]:
    """Mark that weights are being changed from here until the step is counted; `what` needs memory for it.

    What fails meanwhile leaves the weights between two steps.
    """
    job.in_update = True
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        text = (
            f"Step {job.step + 1}: there was not enough memory for {what}. Some weights may be changed and others "
            f"not, so nothing is saved of them. {told_advice(job.config, error)}"
        )
        raise UserError(text, ExitCode.OUT_OF_MEMORY) from error
