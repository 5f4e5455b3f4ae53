"""Measures the model on its way: its loss at fixed noise, and how far its class went from the start model's.

Nothing of the training is touched: weights are only looked at, the noise comes from generators of its own, and the
modules are left as they were found.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from trainer_core.data.order import derive_seed
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.train.fixed_samples import FixedSample, Measure
from trainer_core.train.job import Job, leave_the_device
from trainer_core.train.objective import sample_losses
from trainer_core.train.out_of_memory import Portions, free_memory, is_out_of_memory
from trainer_core.train.start_predictions import Asked, Point, keep, kept, key_of

TEXTS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was measured.

    Attributes:
        loss: mean squared error over the samples, unweighted whatever the training's loss is.
        drift: root mean square of the change of the predictions for the class prompts, as a share of that of the
            start model's predictions; None where no class is known.
    """

    loss: float
    drift: float | None


@dataclass(slots=True)
class Validation:
    """Measures one job. The start model's way is gone once, before anything is trained or restored.

    Attributes:
        measured: steps whose numbers are told already.
    """

    job: Job
    measure: Measure
    measured: set[int] = field(default_factory=set)
    _points: list[Point] = field(default_factory=list)
    _then: list[Tensor] = field(default_factory=list)
    _texts: dict[str, Tensor] | None = None
    _unet_passes: Portions = field(init=False)

    def __post_init__(self) -> None:
        # No more at once than a step takes, which needs more memory for each: so this never needs the most.
        self._unet_passes = Portions(self.job.config.train.batch_size)

    @staticmethod
    def of(job: Job, measure: Measure, record: Path | None = None) -> "Validation | None":
        """Return what measures `job`, which has the start model's weights; None, and a warning, without memory.

        What the start model predicts is read from `record`, or else written to it.
        """
        validation, key = Validation(job, measure), key_of(job, measure.mark) if record else ""
        if record and measure.prompts and (asked := kept(record, key)):
            validation._points, validation._then = asked.points, asked.predictions
            return validation
        try:
            with job.kept_weights(), validation._looking():
                validation._go_the_start_models_way()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            if record and key and validation._points:
                keep(record, key, Asked(validation._points, validation._then))
            return validation
        free_memory()
        _warn(job, "nothing is measured")
        return None

    def has(self) -> bool:
        """Tell whether this step is measured."""
        return self.job.step in self.measured

    def tell(self) -> None:
        """Measure the weights that would be saved, and tell it as an event.

        A stop abandons it; where the memory does not do, or numbers are not finite, it is left out.
        """
        job, began = self.job, time.monotonic()
        try:
            with job.kept_weights():
                numbers = self.numbers()
        except StopRequestedError:
            return
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            numbers = None
        self.measured.add(job.step)
        if numbers is None:
            free_memory()  # the error, whose frames held the tensors, is gone here
            _warn(job, "this step is not measured")
        elif math.isfinite(numbers.loss) and math.isfinite(numbers.drift or 0.0):
            job.events.emit(
                "validation",
                step=job.step,
                loss=numbers.loss,
                drift=numbers.drift,
                samples=len(self.measure.samples),
                held_out=self.measure.held_out,
                measure=self.measure.mark,
                seconds=round(time.monotonic() - began, 3),
            )

    def numbers(self) -> Numbers:
        """Measure the weights as they are. Raises StopRequestedError in the middle where a stop is asked for."""
        with self._looking():
            texts = self._hidden()
            loss = self._loss(texts)
            return Numbers(loss, self._drift(texts) if self._points else None)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Put the modules into the state for looking, and back."""
        model, conditioning = self.job.model, self.job.conditioning
        model.unet.to(self.job.device).eval()
        model.text_encoder.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            model.unet.train()
            model.text_encoder.train(conditioning.trained)
            leave_the_device(self.job)

    def _hidden(self) -> dict[str, Tensor]:
        """Return [L, D] for every text, by the text encoder as it is now; those of a frozen one are kept."""
        if self._texts is not None:
            return self._texts
        job = self.job
        texts = list(dict.fromkeys([*(each.caption for each in self.measure.samples), *self.measure.prompts]))
        job.model.text_encoder.to(job.device)
        ids = torch.tensor(job.model.family.tokenize(texts), device=job.device)
        encode = partial(job.model.family.encode, job.model.text_encoder, clip_skip=job.config.model.clip_skip)
        with job.precision.autocast(job.device):
            parts = [encode(some) for some in ids.split(TEXTS_AT_ONCE)]
        found = dict(zip(texts, torch.cat(parts).cpu(), strict=True))
        if not job.conditioning.trained_steps:
            self._texts = found
        leave_the_device(job)  # the text encoder, where the steps do not need it
        return found

    def _loss(self, texts: dict[str, Tensor]) -> float:
        schedule, samples = self.job.objective.schedule, self.measure.samples
        losses: list[Tensor] = []
        for some in _alike(samples):
            latents, noise, timesteps = self._stacked(some)
            noisy = schedule.add_noise(latents, noise, timesteps)
            predicted = torch.stack(self._predicted(noisy, timesteps, [texts[each.caption] for each in some]))
            target = schedule.target(self.job.objective.prediction, latents, noise, timesteps)
            losses.append(sample_losses(predicted, target))
        return float(torch.cat(losses).mean())

    def _stacked(self, samples: Sequence[FixedSample]) -> tuple[Tensor, Tensor, Tensor]:
        device = self.job.device
        latents, noise = (
            torch.stack([getattr(each, name) for each in samples]).to(device) for name in ("latents", "noise")
        )
        return latents, noise, torch.tensor([each.timestep for each in samples], device=device)

    def _drift(self, texts: dict[str, Tensor]) -> float:
        now = self._at_points(texts)
        new, old = torch.stack(now), torch.stack(self._then).to(self.job.device)
        return float(((new - old).square().mean() / old.square().mean().clamp(min=1e-12)).sqrt())

    def _at_points(self, texts: dict[str, Tensor]) -> list[Tensor]:
        noisy = torch.stack([point.noisy for point in self._points]).to(self.job.device)
        timesteps = torch.tensor([point.timestep for point in self._points], device=self.job.device)
        return self._predicted(noisy, timesteps, [texts[point.prompt] for point in self._points])

    def _go_the_start_models_way(self) -> None:
        """Draw each class from one noise by DDIM (Song et al. 2021) in a few steps, and keep what was passed."""
        if not self.measure.prompts:
            return
        texts = self._hidden()
        steps = max(2, len(self.measure.samples) // 2 // len(self.measure.prompts))
        for number, prompt in enumerate(self.measure.prompts):
            self._points += self._way(number, prompt, texts[prompt], steps)
        self._then = [each.cpu() for each in self._at_points(texts)]

    def _way(self, number: int, prompt: str, hidden: Tensor, steps: int) -> Iterator[Point]:
        job, schedule = self.job, self.job.objective.schedule
        width, height = job.config.dataset.resolution
        generator = torch.Generator().manual_seed(derive_seed("drift", number))
        noisy = torch.randn((job.model.family.latent_channels, height // 8, width // 8), generator=generator)
        noisy = noisy.to(job.device)
        timesteps = [int((step + 0.5) * schedule.timesteps / steps) for step in reversed(range(steps))]
        for timestep, following in zip(timesteps, [*timesteps[1:], 0], strict=True):
            yield Point(prompt, noisy.cpu(), timestep)
            at = torch.tensor([timestep], device=job.device)
            predicted = self._predicted(noisy[None], at, [hidden])[0]
            signal, sigma = schedule.signal[timestep], schedule.noise[timestep]
            if job.objective.prediction == "v":
                clean, noise = signal * noisy - sigma * predicted, sigma * noisy + signal * predicted
            else:
                clean, noise = (noisy - sigma * predicted) / signal, predicted
            noisy = schedule.signal[following] * clean + schedule.noise[following] * noise

    def _predicted(self, noisy: Tensor, timesteps: Tensor, hidden: Sequence[Tensor]) -> list[Tensor]:
        """Return what the U-Net predicts for each of [B, 4, h, w], float32, some at a time."""
        unet, dtype = self.job.model.unet, next(self.job.model.unet.parameters()).dtype
        states = torch.stack(list(hidden)).to(self.job.device)

        def work(places: Sequence[int]) -> Tensor:
            if self.job.should_stop():
                raise StopRequestedError
            rows = slice(places[0], places[-1] + 1)
            with self.job.precision.autocast(self.job.device):
                found: Tensor = unet(noisy[rows].to(dtype), timesteps[rows], states[rows], return_dict=False)[0]
            return found.float()

        parts = self._unet_passes.of(range(len(noisy)), work)
        return [row for _, part in parts for row in part]


def _alike(samples: Sequence[FixedSample]) -> list[list[FixedSample]]:
    """Group samples of the same size."""
    groups: dict[torch.Size, list[FixedSample]] = {}
    for each in samples:
        groups.setdefault(each.latents.shape, []).append(each)
    return list(groups.values())


def _warn(job: Job, what: str) -> None:
    text = f"there was not enough memory for the validation: {what}; the training goes on"
    job.events.emit("warning", code="validation_out_of_memory", text=text, step=job.step)
