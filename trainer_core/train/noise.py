"""The noise of a step: beyond the plain one, offsets of whole channels, coarser sizes, and a perturbed input.

Everything is drawn from the generator given, on its device, and nothing waits for the device.
"""

import random

import torch
from torch import Tensor

from trainer_core.config.schema import Loss


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise in the shape and type of `like`."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def shaped(noise: Tensor, latents: Tensor, loss: Loss, generator: torch.Generator) -> Tensor:
    """Return `noise`, shape [B, 4, h, w], with what `loss` adds to it; the same tensor where it adds nothing."""
    if loss.noise_offset:
        noise = noise + _offset(latents, loss, generator)
    if loss.multires_noise_iterations:
        noise = _pyramid(noise, loss, generator)
    return noise


def perturbed(noise: Tensor, loss: Loss, generator: torch.Generator) -> Tensor:
    """Return the noise that the U-Net sees, where it differs from the one it shall predict.

    Ning et al. 2023, Input Perturbation Reduces Exposure Bias in Diffusion Models.
    """
    if not loss.ip_noise_gamma:
        return noise
    strength = loss.ip_noise_gamma * _share(loss.ip_noise_gamma_random_strength, noise, generator)
    return noise + strength * normal(noise, generator)


def _offset(latents: Tensor, loss: Loss, generator: torch.Generator) -> Tensor:
    """Return noise that is equal over a channel, shape [B, 4, 1, 1] (Guttenberg 2023).

    `adaptive_noise_scale` adds that times the size of the channel's mean to its strength, which never falls
    below 0.
    """
    strength = loss.noise_offset * _share(loss.noise_offset_random_strength, latents, generator)
    if loss.adaptive_noise_scale:
        mean = latents.mean(dim=(2, 3), keepdim=True).abs()
        strength = (strength + loss.adaptive_noise_scale * mean).clamp(min=0.0)
    return strength * normal(latents[:, :, :1, :1], generator)


def _pyramid(noise: Tensor, loss: Loss, generator: torch.Generator) -> Tensor:
    """Return noise with coarser noise on top, each sample scaled to a deviation of 1 (Whitaker 2023).

    Level i has the sides divided by r^i, r drawn between 2 and 4 for each, and counts discount^i; the first has
    full size. r comes from the generator's seed, so that the host knows it without asking the device.
    """
    chance = random.Random(generator.initial_seed())
    height, width = noise.shape[-2:]
    for level in range(loss.multires_noise_iterations):
        ratio = (2 + 2 * chance.random()) ** level
        rows, columns = max(1, int(height / ratio)), max(1, int(width / ratio))
        coarse = normal(noise[:, :, :rows, :columns], generator)
        noise = noise + loss.multires_noise_discount**level * torch.nn.functional.interpolate(
            coarse, size=(height, width), mode="bilinear"
        )
        if rows == 1 or columns == 1:
            break
    return noise / noise.std(dim=(1, 2, 3), keepdim=True)


def _share(is_random: bool, like: Tensor, generator: torch.Generator) -> Tensor | float:
    """Return how much of the full strength each sample gets, shape [B, 1, 1, 1]: all, or anything from 0 to 1."""
    if not is_random:
        return 1.0
    return torch.rand((len(like), 1, 1, 1), generator=generator, device=like.device, dtype=like.dtype)
