"""Losses, weights and noise: each against a reference written from its formula, in two real training steps."""

import math
import random

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from PIL import Image

from trainer_core.config.schema import Loss
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.load import load_model
from trainer_core.models.save import save_model
from trainer_core.train.loss_weights import huber_thresholds, timestep_weights
from trainer_core.train.noise import perturbed, shaped
from trainer_core.train.objective import NoiseSchedule, Objective, sample_losses
from trainer_core.train.preview import draw

SIDE, STEPS, RATE = 128, 2, 2e-4
CPU = torch.device("cpu")
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def alpha_bars(zero_terminal=False):
    """Return alpha_bar of every timestep, in float64, as the papers write it."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    root = (1 - betas).cumprod(0).sqrt()
    if zero_terminal:
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root.square()


def pseudo_huber(d, c):
    return 2 * c * ((d**2 + c**2) ** 0.5 - c)


def huber_by_snr(d, abar):
    c = 0.1 + 0.9 / (1 + math.sqrt((1 - abar) / abar)) ** 2
    return pseudo_huber(d, c)


def smooth_l1_exponential(d, t):
    c = 0.2 ** (t / 1000)
    return 2 * ((d**2 + c**2) ** 0.5 - c)


# name: (prediction, [loss], zero terminal, loss of the differences d, weight of a sample by SNR)
SQUARED = lambda d, t, abar: d**2  # noqa: E731
EVEN = lambda snr: 1.0  # noqa: E731
VARIANTS = {
    "min-snr": ("epsilon", {"min_snr_gamma": 2.0}, False, SQUARED, lambda snr: min(snr, 2) / snr),
    "min-snr v": ("v", {"min_snr_gamma": 2.0}, False, SQUARED, lambda snr: min(snr, 2) / (snr + 1)),
    "v zero terminal": (
        "v",
        {"zero_terminal_snr": True, "min_snr_gamma": 5.0, "scale_v_like_noise": True, "min_timestep": 900},
        True,
        SQUARED,
        lambda snr: min(snr, 5) / (snr + 1) * snr / (snr + 1),
    ),
    "debiased": (
        "epsilon",
        {"debiased_estimation": True, "type": "l1"},
        False,
        lambda d, t, abar: abs(d),
        lambda snr: min(snr, 1000) ** -0.5,
    ),
    "huber": ("epsilon", {"type": "huber"}, False, lambda d, t, abar: huber_by_snr(d, abar), EVEN),
    "smooth l1": (
        "epsilon",
        {"type": "smooth_l1", "huber_c": 0.2, "huber_schedule": "exponential"},
        False,
        lambda d, t, abar: smooth_l1_exponential(d, t),
        EVEN,
    ),
    "offset": ("epsilon", {"noise_offset": 0.3, "adaptive_noise_scale": 0.2}, False, SQUARED, EVEN),
    "pyramid": (
        "epsilon",
        {"multires_noise_iterations": 4, "multires_noise_discount": 0.4, "ip_noise_gamma": 0.2},
        False,
        SQUARED,
        EVEN,
    ),
}


def reference_noise(noise, latents, loss, generator):
    """Return what is predicted and what is seen, from the formulas."""
    if "noise_offset" in loss:
        strength = (0.3 + 0.2 * latents.mean((2, 3), keepdim=True).abs()).clamp(min=0)
        noise = noise + strength * torch.randn(len(noise), 4, 1, 1, generator=generator)
    if "multires_noise_iterations" in loss:
        chance, side = random.Random(generator.initial_seed()), noise.shape[-1]
        for level in range(4):
            small = max(1, int(side / (2 + 2 * chance.random()) ** level))
            coarse = torch.randn(len(noise), 4, small, small, generator=generator)
            noise = noise + 0.4**level * torch.nn.Upsample(size=(side, side), mode="bilinear")(coarse)
            if small == 1:
                break
        noise = torch.stack([one / one.std() for one in noise])
    if "ip_noise_gamma" in loss:
        return noise, noise + 0.2 * torch.randn(noise.shape, generator=generator)
    return noise, noise


def reference_losses(job, prediction, loss, zero_terminal, of_differences, weight_of):
    """Train the U-Net alone, sample by sample."""
    model = load_model(job.config.model)
    unet, text_encoder, vae = model.unet.train(), model.text_encoder.eval(), model.vae
    optimizer = torch.optim.AdamW(unet.parameters(), lr=RATE, weight_decay=0.01, foreach=False)
    abars, losses, items = alpha_bars(zero_terminal), [], job.samples.items
    for step in range(STEPS):
        (batch,) = job.samples.order.step(step)
        generator = torch.Generator().manual_seed(derive_seed(job.config.train.seed, "noise", step, 0))
        posterior, noise = (torch.randn(2, 4, 16, 16, generator=generator) for _ in range(2))
        timesteps = torch.randint(loss.get("min_timestep", 0), 1000, (2,), generator=generator)
        paths = [items[item].picture.path for item in batch.items]
        with torch.no_grad():
            distributions = [vae.encode(pixels_of(path)).latent_dist for path in paths]
            ids = torch.tensor(model.family.tokenize([items[item].picture.caption for item in batch.items]))
            hidden = text_encoder(ids)[0]
        latents = 0.18215 * torch.cat(
            [found.mean + found.std * posterior[i] for i, found in enumerate(distributions)]
        )
        noise, seen = reference_noise(noise, latents, loss, generator)
        step_loss = 0.0
        for i, t in enumerate(timesteps.tolist()):
            a, b = abars[t].sqrt().item(), (1 - abars[t]).sqrt().item()
            predicted = unet((a * latents + b * seen)[i : i + 1], t, hidden[i : i + 1]).sample[0]
            target = noise[i] if prediction == "epsilon" else a * noise[i] - b * latents[i]
            snr = a**2 / b**2
            one = of_differences(predicted - target, t, a**2).mean() * weight_of(snr) / 2
            one.backward()
            step_loss += one.item()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(step_loss)
    return losses


def pixels_of(path):
    with Image.open(path) as image:
        values = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return values.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.mark.parametrize("name", VARIANTS)
def test_a_real_step_has_the_loss_of_the_formula(name, make_job, run_job):
    prediction, loss, zero_terminal, of_differences, weight_of = VARIANTS[name]
    job = make_job(
        family="sd2" if prediction == "v" else "sd1",
        prediction=prediction,
        reg=False,
        side=SIDE,
        text_encoder={"train": False},
        optimizer={"type": "adamw", "learning_rate": RATE},
        train={"max_steps": STEPS, "batch_size": 2, "workers": 1},
        loss=loss,
    )
    expected = reference_losses(job, prediction, loss, zero_terminal, of_differences, weight_of)
    ours = [report.loss for report in run_job(job)]
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 1e-5
    assert ours[0] != ours[1]
