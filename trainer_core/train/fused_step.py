"""One optimizer step inside the backward pass: each gradient is used and dropped as soon as it is there.

So the gradients never lie in memory together. What needs to know all of them before the first weight changes
(exact clipping to a global norm, fp16's exact skip) takes a backward pass of its own, which only measures them.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.learning_rules import goes_back_twice
from trainer_core.data.batches import Batch
from trainer_core.train.job import Job
from trainer_core.train.not_finite import norms_of, total_of
from trainer_core.train.passes import Passes
from trainer_core.train.step import Taken, WholeStep, factor_of, finish, rounding_seed, weights_changing
from trainer_core.train.update import TensorUpdate


class FusedStep:
    """The step of `memory.fused_backward`, for a step of one batch.

    A batch that has to go in parts adds up their gradients first, as usual. The weights it leads to are those of a
    `WholeStep`: each weight's update and rounding depend on its own number alone, not on the order.
    """

    def __init__(self, job: Job, passes: Passes, optimizer: TensorUpdate) -> None:
        self.job = job
        self.passes = passes
        self.optimizer = optimizer
        self.whole = WholeStep(job, passes, optimizer.parameters)
        self.measures_first = goes_back_twice(job.config)
        self._norms: dict[int, Tensor] = {}
        self._use: Callable[[int, Parameter], None] | None = None
        self._one = torch.ones((), device=job.device)
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(partial(self._on_gradient, number))
            for number, parameter in enumerate(optimizer.parameters)
            if parameter.requires_grad
        ]

    def __call__(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        """Go forward once and backward once, or twice where the gradients are measured first."""
        return self.passes.in_smaller_parts(step, lambda: self._take(step, batches, rates))

    def close(self) -> None:
        """Leave the weights without hooks."""
        while self._hooks:
            self._hooks.pop().remove()

    def _take(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        (batch,) = batches
        if self.passes.at_once(batch) < len(batch.items):
            return self.whole(step, batches, rates)
        losses = self.passes.losses(step, 0, batch)
        loss = losses.sum() / len(batch.items)
        go_back = self._measured if self.measures_first else self._at_once
        norm, broken = go_back(step, loss, rates)
        return Taken(loss.detach(), [losses.detach()], norm, broken)

    def _at_once(self, step: int, loss: Tensor, rates: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Update each weight unless its own gradient, or the loss, is not finite: that never reaches a weight."""
        seen = loss.detach()

        def update(number: int, parameter: Parameter) -> None:
            self._measure(number, parameter)
            self.optimizer.update(number, self._one, ~(self._norms[number] + seen).isfinite())

        with weights_changing(self.job, "the backward pass, which updates the weights"):
            self.optimizer.begin(rates, rounding_seed(self.job, step))
            self._go_back(loss, update)
            norm = self._norm()
            broken = ~(norm + seen).isfinite()
            finish(self.job, broken)
        return norm, broken

    def _measured(self, step: int, loss: Tensor, rates: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Measure all gradients, then compute them again and update each weight by a factor known by now."""
        job, scaler = self.job, self.job.scaler
        scaled = loss * scaler.scale
        self._go_back(scaled, self._measure, again=True)
        norm = self._norm() / scaler.scale
        broken = ~(norm + loss.detach()).isfinite()
        factor = factor_of(job, norm)
        with weights_changing(job, "the backward pass, which updates the weights"):
            if not (scaler.enabled and bool(broken)):  # the one host sync that fp16's scaler needs
                self.optimizer.begin(rates, rounding_seed(job, step))
                self._go_back(scaled, lambda number, _: self.optimizer.update(number, factor, broken))
            finish(job, broken)
        return norm, broken

    def _go_back(self, loss: Tensor, use: Callable[[int, Parameter], None], *, again: bool = False) -> None:
        """Go backward, `use` each gradient and drop it; with `again` the activations stay for another time."""
        self._norms.clear()
        self._use = use
        try:
            loss.backward(retain_graph=again)
        finally:
            self._use = None

    def _on_gradient(self, number: int, parameter: Parameter) -> None:
        if self._use is not None:
            self._use(number, parameter)
            parameter.grad = None

    def _measure(self, number: int, parameter: Parameter) -> None:
        if parameter.grad is not None:
            (self._norms[number],) = norms_of([parameter.grad])

    def _norm(self) -> Tensor:
        """Return the global norm, added up in the order in which `WholeStep` does it."""
        return total_of([self._norms[number] for number in sorted(self._norms)])
