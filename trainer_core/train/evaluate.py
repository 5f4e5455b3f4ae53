"""How well a model denoises given pictures, at noise and timesteps that are the same for every model."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainer_core.data.cache import Frame, encode
from trainer_core.data.order import derive_seed
from trainer_core.data.pixels import load_pixels
from trainer_core.train.objective import NoiseSchedule, sample_losses


@torch.no_grad()
def fixed_losses(
    model: Any,
    frames: Sequence[Frame],
    device: torch.device | str,
    *,
    draws: int,
    seed: int = 0,
    clip_skip: int | None = None,
) -> Tensor:
    """Return the loss of `draws` noises and timesteps for each picture, shape [pictures, draws], on the CPU.

    Noise comes from the CPU and depends on `seed`, picture and draw alone; timesteps are spread evenly over the
    schedule. So two models can be compared draw by draw.
    """
    model.unet.to(device).eval()
    model.text_encoder.to(device).eval()
    model.vae.to(device).eval()
    schedule = NoiseSchedule.of(model.scheduler_config, torch.device(device))
    timesteps = ((torch.arange(draws) + 0.5) * schedule.timesteps / draws).long().to(device)
    losses = []
    for index, frame in enumerate(frames):
        generator = torch.Generator().manual_seed(derive_seed(seed, "evaluate", index))
        mean, _ = encode(model.vae, load_pixels(frame.picture.path, frame.fit)[None].to(device))
        latents = (mean * model.family.latent_scale).expand(draws, -1, -1, -1)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        ids = torch.tensor(model.family.tokenize([frame.picture.caption]), device=device)
        hidden = model.family.encode(model.text_encoder, ids, clip_skip).expand(draws, -1, -1)
        noisy = schedule.add_noise(latents, noise, timesteps)
        predicted = model.unet(noisy, timesteps, hidden, return_dict=False)[0]
        losses.append(sample_losses(predicted, schedule.target(model.prediction, latents, noise, timesteps)).cpu())
    return torch.stack(losses)
