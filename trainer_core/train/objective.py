"""What is learned: the noise schedule, the targets of both prediction types, and the loss of a sample."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from trainer_core.config.schema import Loss
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.quiet import quiet_imports
from trainer_core.train.loss_weights import huber_thresholds, timestep_weights

Prediction = Literal["epsilon", "v"]


@dataclass(frozen=True, slots=True)
class NoiseSchedule:
    """The diffusion process that the model was trained with (DDPM, Ho et al. 2020), T timesteps.

    Attributes:
        signal: sqrt(alpha_bar_t) for each timestep, shape [T], float32.
        noise: sqrt(1 - alpha_bar_t) for each timestep, shape [T], float32.
    """

    signal: Tensor
    noise: Tensor

    @staticmethod
    def of(scheduler_config: dict[str, Any], device: torch.device) -> "NoiseSchedule":
        """Return the schedule that a scheduler configuration (as Diffusers writes it) describes.

        With `rescale_betas_zero_snr` in it the last timestep is pure noise.
        """
        quiet_imports()
        from diffusers import DDPMScheduler

        plain = DDPMScheduler.from_config(scheduler_config, rescale_betas_zero_snr=False)
        alpha_bar = plain.alphas_cumprod.float()
        if scheduler_config.get("rescale_betas_zero_snr"):
            alpha_bar = zero_terminal(alpha_bar)
        return NoiseSchedule(signal=alpha_bar.sqrt().to(device), noise=(1.0 - alpha_bar).sqrt().to(device))

    @property
    def timesteps(self) -> int:
        """Number of timesteps."""
        return len(self.signal)

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar) of each timestep, shape [T]; the last may be 0."""
        return (self.signal / self.noise).square()

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps, shape [B, 4, h, w]."""
        return _each(self.signal, timesteps) * latents + _each(self.noise, timesteps) * noise

    def target(self, prediction: Prediction, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return what the U-Net shall predict: eps, or v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0.

        v-prediction: Salimans and Ho 2022, Progressive Distillation, section 4.
        """
        if prediction == "epsilon":
            return noise
        return _each(self.signal, timesteps) * noise - _each(self.noise, timesteps) * latents


def zero_terminal(alpha_bar: Tensor) -> Tensor:
    """Return alpha_bar, shape [T], with its root shifted and scaled so that the last is 0 and the first stays.

    Lin et al. 2023, Common Diffusion Noise Schedules and Sample Steps are Flawed, algorithm 1.
    """
    signal = alpha_bar.sqrt()
    first, last = signal[0], signal[-1]
    return ((signal - last) * (first / (first - last))).square()


@dataclass(frozen=True, slots=True)
class Objective:
    """What the predictions of one training are held against.

    Attributes:
        settings: the [loss] table.
        prediction: what the U-Net predicts.
        schedule: the noise schedule trained with.
        weights: weight of each timestep, shape [T]; None where all weigh the same.
        thresholds: Huber's threshold at each timestep, shape [T]; None for the other losses.
    """

    settings: Loss
    prediction: Prediction
    schedule: NoiseSchedule
    weights: Tensor | None
    thresholds: Tensor | None

    @staticmethod
    def of(
        settings: Loss, prediction: Prediction, scheduler_config: dict[str, Any], device: torch.device
    ) -> "Objective":
        """Return the objective of a model with this scheduler configuration; its tables lie on `device`.

        Raises UserError(CONFIG) if the model has no timestep as high as `loss.min_timestep`.
        """
        schedule = NoiseSchedule.of(scheduler_config, device)
        if settings.min_timestep >= schedule.timesteps:
            raise UserError(
                f"loss.min_timestep is {settings.min_timestep}, and this model has {schedule.timesteps} timesteps:"
                " lower it.",
                ExitCode.CONFIG,
            )
        return Objective(
            settings=settings,
            prediction=prediction,
            schedule=schedule,
            weights=timestep_weights(settings, prediction, schedule.snr),
            thresholds=huber_thresholds(settings, schedule.snr),
        )

    def draw_timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Return `count` timesteps within min_timestep and max_timestep, shape [count], int64."""
        low, high = self.settings.min_timestep, min(self.settings.max_timestep, self.schedule.timesteps)
        return torch.randint(low, high, (count,), generator=generator, device=generator.device)

    def losses(self, predicted: Tensor, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return the weighted loss of each sample, shape [B], float32."""
        target = self.schedule.target(self.prediction, latents, noise, timesteps)
        threshold = None if self.thresholds is None else self.thresholds[timesteps]
        losses = sample_losses(predicted, target, self.settings.type, threshold)
        return losses if self.weights is None else losses * self.weights[timesteps]


def sample_losses(predicted: Tensor, target: Tensor, kind: str = "l2", threshold: Tensor | None = None) -> Tensor:
    """Return the mean loss of each sample, shape [B], in float32.

    With c = `threshold`, shape [B]: pseudo-Huber is 2c (sqrt(d^2 + c^2) - c), about d^2 for small differences d
    and 2c|d| for large ones; smooth L1 is the same over c (Charbonnier et al. 1997; scaled as sd-scripts does).
    """
    predicted, target = predicted.float(), target.float()
    if kind == "l2":
        losses = torch.nn.functional.mse_loss(predicted, target, reduction="none")
    elif kind == "l1":
        losses = torch.nn.functional.l1_loss(predicted, target, reduction="none")
    else:
        if threshold is None:
            raise ValueError(f"the loss {kind} needs a threshold")
        c = threshold.view(-1, 1, 1, 1)
        losses = 2 * (torch.hypot(predicted - target, c) - c)
        if kind == "huber":
            losses = c * losses
    return losses.mean(dim=(1, 2, 3))


def _each(table: Tensor, timesteps: Tensor) -> Tensor:
    return table[timesteps].view(-1, 1, 1, 1)
