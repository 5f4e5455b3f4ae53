"""The training loop: one optimizer step, again and again, with no host sync in it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer_core.data.batches import Batch
from trainer_core.data.cache import encode
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.job import Job
from trainer_core.train.learning_rate import learning_rate_at
from trainer_core.train.noise import normal, perturbed, shaped
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
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    grad_norm: float
    images_per_s: float
    text_encoder_rate: float | None = None


def train(job: Job, report: Callable[[StepReport], None], between_steps: Callable[[], bool]) -> None:
    """Train from `job.step` to the end, or until `between_steps` returns False.

    `between_steps` is called after each step, with `job.step` already counting it, and before the next one: it
    saves, draws previews, obeys commands. Raises UserError(NON_FINITE) one step after a loss or gradient was not
    finite; it never reached the weights.
    """
    settings, order, total = job.config.optimizer, job.samples.order, job.samples.total_steps
    weights = _loss_weights(job)
    parameters, scheduler = list(job.parameters.values()), job.config.scheduler
    generator = torch.Generator(job.device)
    readback, watch = Readback(job.device), _Watch(job, report)
    job.settle = lambda: watch.see(readback.drain())
    seed, adapters = job.config.train.seed, job.adapters
    while job.step < total:
        stop_text_encoder_if_due(job)
        batches = job.loader.step(job.step)
        samples = sum(len(batch.items) for batch in batches)
        rates = [learning_rate_at(job.step, total, group.learning_rate, scheduler) for group in job.groups]
        # --------------------------------------------------------------- one optimizer step
        step_loss = torch.zeros((), device=job.device)
        for number, batch in enumerate(batches):
            generator.manual_seed(derive_seed(seed, "noise", job.step, number))
            if adapters is not None:
                adapters.reseed(derive_seed(seed, "dropout", job.step, number))
            losses = batch_losses(job, batch, generator)
            loss = (losses * torch.stack([weights[item] for item in batch.items])).sum() / samples
            (loss * job.scaler.scale).backward()
            step_loss += loss.detach()
        norm = gradient_norm(parameters) / job.scaler.scale
        broken = ~(norm + step_loss).isfinite()
        clip = (settings.max_grad_norm / (norm + 1e-6)).clamp(max=1.0) if settings.max_grad_norm else 1.0
        job.in_update = True
        job.optimizer.step(rates, clip / job.scaler.scale, broken, derive_seed(seed, "rounding", job.step))
        if adapters is not None:
            adapters.limit_norms()
        if job.average is not None:
            job.average.update(job.step + 1, broken)
        job.scaler.update(broken)
        for parameter in parameters:
            parameter.grad = None
        # ---------------------------------------------------------------------------------
        job.step += 1
        job.in_update = False
        watch.queued(job.step, order.epoch_of(job.step - 1) + 1, rates, samples)
        watch.see(readback.push(job.step, step_loss, norm))
        if job.step == total:
            job.settle()
        if not between_steps():
            job.settle()
            return


def batch_losses(job: Job, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the loss of each sample of `batch`, shape [B], float32.

    `generator` gives, in this order: the sample from the VAE's posterior, the noise, the timesteps, and what
    the [loss] table adds to the noise.
    """
    settings = job.objective.settings
    mean, std = batch.tensors if len(batch.tensors) == 2 else encode(job.model.vae, batch.tensors[0])
    latents = (mean + std * normal(mean, generator)) * job.model.family.latent_scale
    noise = normal(mean, generator)
    timesteps = job.objective.draw_timesteps(len(mean), generator)
    noise = shaped(noise, latents, settings, generator)
    noisy = job.objective.schedule.add_noise(latents, perturbed(noise, settings, generator), timesteps)
    with job.precision.autocast(job.device):
        hidden = job.conditioning(batch.captions)
        predicted = job.model.unet(noisy.to(job.precision.base), timesteps, hidden, return_dict=False)[0]
    return job.objective.losses(predicted, latents, noise, timesteps)


def gradient_norm(parameters: list[torch.nn.Parameter]) -> Tensor:
    """Return the L2 norm of all gradients together, computed in float32, a scalar on the device."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch._foreach_norm(gradients, 2, dtype=torch.float32)
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total


def _loss_weights(job: Job) -> list[Tensor]:
    instance, prior = torch.tensor([1.0, job.config.prior.weight], device=job.device)
    return [prior if item.is_class else instance for item in job.samples.items]


class _Watch:
    """Turns the numbers that come back one step late into reports, and stops a training that broke."""

    def __init__(self, job: Job, report: Callable[[StepReport], None]) -> None:
        self.job = job
        self.report = report
        self.known: dict[int, tuple[int, float, float | None, float]] = {}
        components = [group.component for group in job.groups]
        has_own = job.config.text_encoder.learning_rate is not None and "text_encoder" in components
        self.text_encoder = components.index("text_encoder") if has_own else None
        self.last = time.perf_counter()
        self.overflows = 0

    def queued(self, step: int, epoch: int, rates: Sequence[float], samples: int) -> None:
        now = time.perf_counter()
        own = rates[self.text_encoder] if self.text_encoder is not None else None
        if own is not None and not self.job.conditioning.trained:
            own = 0.0
        self.known[step] = (epoch, rates[0], own, samples / max(now - self.last, 1e-9))
        self.last = now

    def see(self, numbers: StepNumbers | None) -> None:
        if numbers is None:
            return
        epoch, learning_rate, own_rate, speed = self.known.pop(numbers.step)
        report = StepReport(numbers.step, epoch, numbers.loss, learning_rate, numbers.grad_norm, speed, own_rate)
        self.report(report)
        loss_ok, norm_ok = (abs(value) < float("inf") for value in (numbers.loss, numbers.grad_norm))
        self.overflows = 0 if norm_ok else self.overflows + 1
        if not loss_ok or (not norm_ok and (not self.job.scaler.enabled or self.overflows > OVERFLOWS_ALLOWED)):
            raise UserError(_broken(self.job, numbers.step), ExitCode.NON_FINITE)


def _broken(job: Job, step: int) -> str:
    names = ", ".join(sorted(set(_file_names(job, step))))
    return (
        f"Step {step}: the loss or its gradient is not a number, so it was dropped and the training "
        f"stopped. Pictures of the step: {names}. Look at them, or lower optimizer.learning_rate"
        + (', or set memory.mixed_precision = "bf16".' if job.precision.scaled else ".")
    )


def _file_names(job: Job, step: int) -> Iterator[str]:
    for micro in job.samples.order.step(step - 1):
        for item in micro.items:
            yield job.samples.items[item].picture.path.name
