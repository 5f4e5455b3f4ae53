"""How well a model denoises pictures of the subject that it was not trained on, told its prompt."""

from typing import Any

import torch
from likeness import REFERENCES_FROM
from world_judge import as_tensor

from dbtui.demo.world.subject import draw_subject
from trainer_core.train.objective import NoiseSchedule

PICTURES = 16
TIMESTEPS = (500, 600, 700)


@torch.no_grad()
def denoising_error(model: Any, prompt: str) -> float:
    """Return the mean squared error of the predicted noise, always at the same noise and timesteps."""
    model.unet.eval()
    model.text_encoder.eval()
    pictures = as_tensor([draw_subject(REFERENCES_FROM + number) for number in range(PICTURES)])
    latents = model.vae.encode(pictures).latent_dist.mean * model.family.latent_scale
    ids = torch.tensor(model.family.tokenize([prompt]))
    hidden = model.family.encode(model.text_encoder, ids, None).expand(PICTURES, -1, -1)
    schedule = NoiseSchedule.of(model.scheduler_config, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    errors = []
    for timestep in TIMESTEPS:
        timesteps = torch.full((PICTURES,), timestep)
        noise = torch.randn(latents.shape, generator=generator)
        noisy = schedule.add_noise(latents, noise, timesteps)
        predicted = model.unet(noisy, timesteps, hidden, return_dict=False)[0]
        errors.append((predicted - noise).square().mean())
    return float(torch.stack(errors).mean())
