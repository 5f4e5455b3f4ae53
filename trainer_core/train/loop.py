"""The training loop: one optimizer step, again and again, with no host sync in it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer_core.train.job import Job
from trainer_core.train.learning_rate import learning_rate_at
from trainer_core.train.not_finite import Seen, broken_step, refuse_broken_weights
from trainer_core.train.passes import Passes
from trainer_core.train.readback import Readback, StepNumbers
from trainer_core.train.take_step import steps_of
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
    order, total, scheduler = job.samples.order, job.samples.total_steps, job.config.scheduler
    passes, readback = Passes(job), Readback(job.device)
    watch = _Watch(job, passes, readback, report)
    job.settle = watch.settle
    with steps_of(job, passes) as take_step:
        while job.step < total:
            stop_text_encoder_if_due(job)
            batches = job.loader.step(job.step)
            rates = [learning_rate_at(job.step, total, group.learning_rate, scheduler) for group in job.groups]
            taken = take_step(job.step, batches, rates)
            job.step += 1
            job.in_update = False
            seen = Seen(job.step, [batch.items for batch in batches], taken.losses)
            watch.queued(seen, order.epoch_of(job.step - 1) + 1, rates)
            watch.see(readback.push(job.step, taken.loss, taken.norm))
            if job.step == total:
                watch.see(readback.drain())
            if not between_steps():
                job.settle()
                return


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
