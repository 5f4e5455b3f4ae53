"""The training loop: one optimizer step, again and again, with no host sync in it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import Parameter

from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.job import Job
from trainer_core.train.learning_rate import learning_rate_at
from trainer_core.train.not_finite import Seen, broken_step, norm_of, refuse_broken_weights
from trainer_core.train.out_of_memory import is_out_of_memory, told_advice
from trainer_core.train.passes import Passes
from trainer_core.train.readback import Readback, StepNumbers
from trainer_core.train.text_stop import stop_text_encoder_if_due

OVERFLOWS_ALLOWED = 50
"""Steps in a row that fp16's loss scale may skip; it halves each time, so more means real infinities."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What the loop tells of a step, one step later.

    Attributes:
        step: steps done, this one included.
        epoch: the epoch it belongs to, from 1.
        loss: mean weighted loss of its samples.
        learning_rate: the U-Net's, as used.
        text_encoder_rate: the text encoder's where it has its own, 0 once it is no longer trained; else None.
        grad_norm: global norm before clipping.
        images_per_s: samples of this step over the wall time since the step before.
        skipped: steps so far, of this process, that fp16's loss scale skipped.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    grad_norm: float
    images_per_s: float
    text_encoder_rate: float | None = None
    skipped: int = 0


def train(job: Job, report: Callable[[StepReport], None], between_steps: Callable[[], bool]) -> None:
    """Train from `job.step` to the end, or until `between_steps` returns False.

    `between_steps` is called after each step, with `job.step` already counting it, and before the next one: it
    saves, draws previews, obeys commands. Raises a UserError: NON_FINITE one step after a loss or gradient was not
    finite (it never reached the weights), OUT_OF_MEMORY where a single sample does not fit.
    """
    settings, order, total = job.config.optimizer, job.samples.order, job.samples.total_steps
    parameters, scheduler = list(job.parameters.values()), job.config.scheduler
    passes, readback = Passes(job), Readback(job.device)
    watch = _Watch(job, passes, readback, report)
    job.settle = watch.settle
    seed, adapters = job.config.train.seed, job.adapters
    while job.step < total:
        stop_text_encoder_if_due(job)
        batches = job.loader.step(job.step)
        rates = [learning_rate_at(job.step, total, group.learning_rate, scheduler) for group in job.groups]
        # --------------------------------------------------------------- one optimizer step
        computed = passes.of_step(job.step, batches)
        norm = gradient_norm(parameters) / job.scaler.scale
        broken = ~(norm + computed.loss).isfinite()
        clip = (settings.max_grad_norm / (norm + 1e-6)).clamp(max=1.0) if settings.max_grad_norm else 1.0
        job.in_update = True
        try:
            job.optimizer.step(rates, clip / job.scaler.scale, broken, derive_seed(seed, "rounding", job.step))
            if adapters is not None:
                adapters.limit_norms()
            if job.average is not None:
                job.average.update(job.step + 1, broken)
            job.scaler.update(broken)
        except Exception as error:
            if is_out_of_memory(error):
                raise UserError(_half_changed(job, error), ExitCode.OUT_OF_MEMORY) from error
            raise
        for parameter in parameters:
            parameter.grad = None
        # ---------------------------------------------------------------------------------
        job.step += 1
        job.in_update = False
        seen = Seen(job.step, [batch.items for batch in batches], computed.losses)
        watch.queued(seen, order.epoch_of(job.step - 1) + 1, rates)
        watch.see(readback.push(job.step, computed.loss, norm))
        if job.step == total:
            watch.see(readback.drain())
        if not between_steps():
            job.settle()
            return


def gradient_norm(parameters: list[Parameter]) -> torch.Tensor:
    """Return the L2 norm of all gradients together, computed in float32, a scalar on the device."""
    return norm_of([parameter.grad for parameter in parameters if parameter.grad is not None])


def _half_changed(job: Job, error: Exception) -> str:
    return (
        f"Step {job.step + 1}: there was not enough memory for the optimizer. Some weights may be changed and "
        f"others not, so nothing is saved of them. {told_advice(job.config, error)}"
    )


class _Watch:
    """Turns the numbers that come back one step late into reports, and stops a training that broke."""

    def __init__(self, job: Job, passes: Passes, readback: Readback, report: Callable[[StepReport], None]) -> None:
        self.job = job
        self.passes = passes
        self.readback = readback
        self.report = report
        self.known: dict[int, tuple[Seen, int, float, float | None, float]] = {}
        components = [group.component for group in job.groups]
        has_own = job.config.text_encoder.learning_rate is not None and "text_encoder" in components
        self.text_encoder = components.index("text_encoder") if has_own else None
        self.last = time.perf_counter()
        self.overflows = 0
        self.skipped = 0

    def queued(self, seen: Seen, epoch: int, rates: Sequence[float]) -> None:
        """Remember a step whose numbers are under way."""
        now = time.perf_counter()
        own = rates[self.text_encoder] if self.text_encoder is not None else None
        if own is not None and not self.job.conditioning.trained:
            own = 0.0
        samples = sum(len(items) for items in seen.items)
        self.known[seen.step] = (seen, epoch, rates[0], own, samples / max(now - self.last, 1e-9))
        self.last = now

    def settle(self) -> None:
        """Wait for the numbers of the last step; raise if they, or the weights, are not finite."""
        self.see(self.readback.drain())
        refuse_broken_weights(self.job)

    def see(self, numbers: StepNumbers | None) -> None:
        """Report a step, and raise if it broke."""
        if numbers is None:
            return
        seen, epoch, learning_rate, own_rate, speed = self.known.pop(numbers.step)
        loss_ok, norm_ok = (abs(value) < float("inf") for value in (numbers.loss, numbers.grad_norm))
        is_skipped = self.job.scaler.enabled and not (loss_ok and norm_ok)
        self.skipped += is_skipped
        self.report(
            StepReport(
                step=numbers.step,
                epoch=epoch,
                loss=numbers.loss,
                learning_rate=learning_rate,
                grad_norm=numbers.grad_norm,
                images_per_s=speed,
                text_encoder_rate=own_rate,
                skipped=self.skipped,
            )
        )
        self.overflows = 0 if norm_ok else self.overflows + 1
        if not loss_ok or (not norm_ok and (not self.job.scaler.enabled or self.overflows > OVERFLOWS_ALLOWED)):
            raise broken_step(self.job, self.passes, seen)
        if is_skipped and self.skipped == 1:
            self._tell_of_skipping(numbers.step)

    def _tell_of_skipping(self, step: int) -> None:
        self.job.events.emit(
            "warning",
            code="fp16_step_skipped",
            text=f"step {step} was skipped: a gradient was too large for fp16, so the loss scale is halved. At "
            "the start, and now and then later, that is how fp16 works; the steps tell how many were skipped",
            step=step,
        )
