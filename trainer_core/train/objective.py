"""What is learned: the noise schedule, the targets of both prediction types, and the loss of a sample."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from trainer_core.models.quiet import quiet_imports

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
        """Return the schedule that a model's own scheduler configuration (as Diffusers writes it) describes."""
        quiet_imports()
        from diffusers import DDPMScheduler

        alpha_bar = DDPMScheduler.from_config(scheduler_config).alphas_cumprod.float()
        return NoiseSchedule(signal=alpha_bar.sqrt().to(device), noise=(1.0 - alpha_bar).sqrt().to(device))

    @property
    def timesteps(self) -> int:
        """Number of timesteps."""
        return len(self.signal)

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


def sample_losses(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each sample, shape [B], in float32."""
    return torch.nn.functional.mse_loss(predicted.float(), target.float(), reduction="none").mean(dim=(1, 2, 3))


def _each(table: Tensor, timesteps: Tensor) -> Tensor:
    return table[timesteps].view(-1, 1, 1, 1)
