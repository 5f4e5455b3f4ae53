"""The gradients of a step: its forward and backward passes, in smaller ones where the memory does not do.

Everything random of a batch is drawn for the whole of it, and the loss of each sample counts for itself. So a
batch in parts has the gradient of the whole, but for the order of additions.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from trainer_core.data.batches import Batch
from trainer_core.data.cache import encode
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.text import safe_text
from trainer_core.train.job import Job
from trainer_core.train.ladder import SteppedDownError, step_down
from trainer_core.train.noise import normal, perturbed, shaped
from trainer_core.train.out_of_memory import free_memory, half, is_out_of_memory, told_advice
from trainer_core.train.streaming import for_backward

LONG_REST = 2.0
"""Seconds that a stop waits for the rest of a step; a longer one is given up, and done anew by the resume."""
Result = TypeVar("Result")
Bucket = tuple[int, ...]
"""Height and width of a batch's tensors."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn of a batch before the U-Net sees it, each [B, 4, h, w], but timesteps [B]."""

    latents: Tensor
    noise: Tensor
    noisy: Tensor
    timesteps: Tensor

    def rows(self, rows: slice) -> "Drawn":
        """Return a part of the batch."""
        return Drawn(self.latents[rows], self.noise[rows], self.noisy[rows], self.timesteps[rows])


@dataclass(frozen=True, slots=True)
class Gradients:
    """What a step's passes leave besides the gradients, on the device.

    Attributes:
        loss: mean weighted loss of its samples, a scalar.
        losses: the weighted losses of each batch, [B]; nothing is copied to keep them.
    """

    loss: Tensor
    losses: list[Tensor]


class Passes:
    """Computes gradients, batch after batch, each whole if it fits.

    Attributes:
        most: samples in one pass for each bucket of which a whole batch did not fit.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.most: dict[Bucket, int] = {}
        self._generator = torch.Generator(job.device)
        self._weights = _loss_weights(job)
        self._at_work: tuple[Bucket, int] = ((), 1)

    def of_step(self, step: int, batches: Sequence[Batch]) -> Gradients:
        """Add the gradients of optimizer step `step` (from 0) to the parameters', which have none yet.

        Where the memory does not do, the step begins anew with half of the batch in each pass. Raises
        UserError(OUT_OF_MEMORY), with no gradient left, if a single sample does not fit (SteppedDownError where
        `memory.auto` can do something about it), and StopRequestedError where a stop is asked for and the other
        batches would take too long: the weights are those before the step.
        """
        return self.in_smaller_parts(step, lambda: self._of_step(step, batches))

    def in_smaller_parts(self, step: int, work: Callable[[], Result]) -> Result:
        """Return what `work` on a step does; each time the memory does not, with half as much in a pass.

        Work that has begun to change weights is not done again.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if self.job.in_update or not is_out_of_memory(error):
                    raise
                reason = safe_text(error, limit=200)
            self._end_if_sharded(step, reason)
            # The error is gone here, and with it the frames that held the tensors of the pass.
            self.drop_gradients()
            free_memory()
            self._take_half(step, reason)

    def at_once(self, batch: Batch) -> int:
        """Return how many samples of `batch` go through the model together; it is what is worked on from now."""
        bucket, count = tuple(batch.tensors[0].shape[-2:]), batch.size
        self._at_work = bucket, min(self.most.get(bucket, count), count)
        return self._at_work[1]

    def one_by_one(self, step: int, number: int, batch: Batch) -> Iterator[int]:
        """Yield each place in batch `number` of a step when its gradients alone, and no others, were added."""
        for rows, _, _ in self._in_parts(step, number, batch, batch.size, 1):
            yield rows.start
            self.drop_gradients()
        self.drop_gradients()

    def whole(self, step: int, number: int, batch: Batch, samples: int) -> tuple[Tensor, Tensor]:
        """Add the gradients of batch `number` of a step of so many `samples`.

        Returns its weighted losses, [B], and their share in the step's loss, a scalar.
        """
        if batch.part:
            return self._whole_part(step, number, batch, samples, batch.size)
        losses = self.losses(step, number, batch)
        return losses.detach(), self._backward(losses, samples)

    def _whole_part(self, step: int, number: int, batch: Batch, samples: int, most: int) -> tuple[Tensor, Tensor]:
        """Do what `whole` does with at most so many samples at once; of a part, its own samples alone."""
        _, losses, shares = zip(*self._in_parts(step, number, batch, samples, most), strict=True)
        return torch.cat(losses), torch.stack(shares).sum()

    def losses(self, step: int, number: int, batch: Batch) -> Tensor:
        """Return the weighted losses of batch `number` of a step, [B]; nothing has gone backward yet."""
        self._seed(step, number)
        return batch_losses(self.job, batch, self._generator) * self._weights_of(batch)

    def drop_gradients(self) -> None:
        """Leave every parameter without a gradient."""
        for parameter in self.job.parameters.values():
            parameter.grad = None

    def _of_step(self, step: int, batches: Sequence[Batch]) -> Gradients:
        samples = sum(len(batch.items) for batch in batches)
        total, kept = torch.zeros((), device=self.job.device), []
        began = time.monotonic()
        for number, batch in enumerate(batches):
            if number and self._gives_up((time.monotonic() - began) / number * (len(batches) - number)):
                raise StopRequestedError
            most = self.at_once(batch)
            if batch.size == most:
                losses, loss = self.whole(step, number, batch, samples)
            else:
                losses, loss = self._whole_part(step, number, batch, samples, most)
            total += loss
            kept.append(losses)
        return Gradients(total, kept)

    def _gives_up(self, seconds_left: float) -> bool:
        return seconds_left > LONG_REST and self.job.world.is_alone and self.job.should_stop()

    def _in_parts(
        self, step: int, number: int, batch: Batch, samples: int, most: int
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield the rows, weighted losses and share in the step's loss of each part whose gradients were added.

        The text encoder, which needs little, reads the captions of the whole batch once, so that their length and
        what its adapters leave out are the same; its own gradients come at the end.
        """
        job, adapters = self.job, self.job.adapters
        self._seed(step, number)
        drawn = drawn_for(job, batch, self._generator, at_once=most)
        weights, count = self._weights_of(batch), len(batch.items)
        with for_backward(job.bus, job.config.memory), job.precision.autocast(job.device):
            hidden = job.conditioning(batch.captions)
        held = hidden.detach().requires_grad_(hidden.requires_grad)
        for rows in rows_of(batch, most):
            if adapters is not None:
                adapters.narrow(rows, count)
            losses = losses_of(job, drawn.rows(rows), held[rows]) * weights[rows]
            yield rows, losses.detach(), self._backward(losses, samples)
        if held.grad is not None:
            hidden.backward(held.grad)

    def _backward(self, losses: Tensor, samples: int) -> Tensor:
        loss = losses.sum() / samples
        (loss * self.job.scaler.scale).backward()
        return loss.detach()

    def _seed(self, step: int, number: int) -> None:
        seed = self.job.config.train.seed
        self._generator.manual_seed(derive_seed(seed, "noise", step, number))
        if self.job.adapters is not None:
            self.job.adapters.reseed(derive_seed(seed, "dropout", step, number))

    def _weights_of(self, batch: Batch) -> Tensor:
        weights = torch.stack([self._weights[item] for item in batch.items])
        return weights if batch.part is None or batch.part.counts else torch.zeros_like(weights)

    def _take_half(self, step: int, reason: str) -> None:
        bucket, count = self._at_work
        if count == 1:
            self._step_down(step)
            text = f"Step {step + 1}: there was not enough memory for a single picture. "
            raise UserError(text + told_advice(self.job.config, reason), ExitCode.OUT_OF_MEMORY)
        self.most[bucket] = size = half(count)
        self.job.events.emit(
            "warning",
            code="out_of_memory",
            text=f"step {step + 1}: there was not enough memory for {count} pictures at once; from now on at most "
            f"{size} of this bucket go through the model together, and the steps stay what they were",
            step=step,
            size=size,
        )

    def _end_if_sharded(self, step: int, reason: str) -> None:
        """Raise UserError(OUT_OF_MEMORY) where the others wait for weights of a layer, or have them already."""
        if self.job.sharded:
            text = (
                f"Step {step + 1}: there was not enough memory, and with memory.fsdp a step cannot be begun anew. "
            )
            raise UserError(text + told_advice(self.job.config, reason), ExitCode.OUT_OF_MEMORY)

    def _step_down(self, step: int) -> None:
        """With `memory.auto`, raise SteppedDownError if something can be done; whole batches are tried again."""
        told = step_down(self.job) if self.job.config.memory.auto else None
        if told is not None:
            self.most.clear()
            text = f"step {step + 1}: there was not enough memory for a single picture; {told}"
            self.job.events.emit("warning", code="memory_stepped_down", text=text, step=step)
            raise SteppedDownError


def rows_of(batch: Batch, most: int) -> Iterator[slice]:
    """Yield the rows of `batch` that are computed here, at most `most` at once."""
    first = batch.part.rows.start if batch.part else 0
    for rows in parts_of(batch.size, most):
        yield slice(first + rows.start, first + rows.stop)


def parts_of(count: int, most: int) -> Iterator[slice]:
    """Yield the rows of as few parts of at most `most` as there can be, of nearly equal length."""
    parts = -(-count // most)
    for part in range(parts):
        yield slice(part * count // parts, (part + 1) * count // parts)


def batch_losses(job: Job, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the loss of each sample of `batch`, shape [B], float32; see `drawn_for`."""
    drawn = drawn_for(job, batch, generator, at_once=len(batch.items))
    with for_backward(job.bus, job.config.memory), job.precision.autocast(job.device):
        hidden = job.conditioning(batch.captions)
    return losses_of(job, drawn, hidden)


def drawn_for(job: Job, batch: Batch, generator: torch.Generator, *, at_once: int) -> Drawn:
    """Draw what is random of a batch, whose pixels, if it has some, the VAE encodes `at_once` at a time.

    `generator` gives, in this order: the sample from the VAE's posterior, the noise, the timesteps, and what
    the [loss] table adds to the noise. Of a part, only its rows mean anything.
    """
    settings = job.objective.settings
    mean, std = batch.tensors if len(batch.tensors) == 2 else _encoded(job, batch.tensors[0], at_once)
    if batch.part:
        mean, std = (_in_place(tensor, batch.part.rows, len(batch.items)) for tensor in (mean, std))
    latents = (mean + std * normal(mean, generator)) * job.model.family.latent_scale
    noise = normal(mean, generator)
    timesteps = job.objective.draw_timesteps(len(mean), generator)
    noise = shaped(noise, latents, settings, generator)
    noisy = job.objective.schedule.add_noise(latents, perturbed(noise, settings, generator), timesteps)
    return Drawn(latents, noise, noisy, timesteps)


def _in_place(part: Tensor, rows: slice, count: int) -> Tensor:
    """Return `part`, the `rows` of a batch of `count`, among zeros: what is drawn is drawn for the whole batch."""
    whole = part.new_zeros((count, *part.shape[1:]))
    whole[rows] = part
    return whole


def losses_of(job: Job, drawn: Drawn, hidden: Tensor) -> Tensor:
    """Return the loss of each sample, shape [B], float32, given what the texts became, [B, L, D]."""
    with for_backward(job.bus, job.config.memory), job.precision.autocast(job.device):
        noisy = drawn.noisy.to(job.precision.base)
        predicted = job.model.unet(noisy, drawn.timesteps, hidden, return_dict=False)[0]
    return job.objective.losses(predicted, drawn.latents, drawn.noise, drawn.timesteps)


def _encoded(job: Job, pixels: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    if at_once >= len(pixels):
        return encode(job.model.vae, pixels)
    parts = [encode(job.model.vae, pixels[rows]) for rows in parts_of(len(pixels), at_once)]
    means, stds = zip(*parts, strict=True)
    return torch.cat(means), torch.cat(stds)


def _loss_weights(job: Job) -> list[Tensor]:
    instance, prior = torch.tensor([1.0, job.config.prior.weight], device=job.device)
    return [prior if item.is_class else instance for item in job.samples.items]
