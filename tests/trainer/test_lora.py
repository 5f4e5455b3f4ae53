"""LoRA training: the losses of an independent loop, exact resumes, what each setting does."""

import pytest
import torch
from PIL import Image
from torch.func import functional_call

from trainer_core.data.order import derive_seed
from trainer_core.models.load import load_model
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.resume import checkpoint_of, restore

STEPS = 6
SIDE = 128
LORA = {"train": "lora"}
TABLES = {
    "method": LORA,
    "network": {"rank": 4, "alpha": 2.0, "conv_rank": 2, "conv_alpha": 4.0},
    "train": {"max_steps": STEPS, "batch_size": 2, "seed": 7, "workers": 1},
    "optimizer": {"type": "adamw", "learning_rate": 5e-3, "weight_decay": 0.02, "max_grad_norm": 0.5},
}


def reference_losses(job):
    """Every weight beside an adapter is replaced, in each step, by W + alpha / rank * up down."""
    items, model = job.samples.items, load_model(job.config.model)
    parts = {"unet": model.unet.requires_grad_(False), "text_encoder": model.text_encoder.requires_grad_(False)}
    pairs = {part: {} for part in parts}
    for adapter in job.adapters.adapters:
        scale = 4.0 / 2 if adapter.down.shape[2:] == (3, 3) else 2.0 / 4
        down, up = (matrix.detach().clone().requires_grad_() for matrix in (adapter.down, adapter.up))
        pairs[adapter.place.part][own_name(parts[adapter.place.part], adapter.place.path)] = (down, up, scale)
    matrices = [matrix for part in pairs.values() for down, up, _ in part.values() for matrix in (down, up)]
    optimizer = torch.optim.AdamW(matrices, lr=5e-3, weight_decay=0.02)
    alpha_bar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    losses = []
    for step in range(STEPS):
        (micro,) = job.samples.order.step(step)
        generator = torch.Generator().manual_seed(derive_seed(7, "noise", step, 0))
        count = len(micro.items)
        posterior = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
        noise = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
        t = torch.randint(1000, (count,), generator=generator)
        pixels = torch.cat([pixels_of(items[item].picture.path) for item in micro.items])
        with torch.no_grad():
            distribution = model.vae.encode(pixels).latent_dist
        latents = (distribution.mean + distribution.std * posterior) * 0.18215
        signal = alpha_bar[t].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        ids = torch.tensor(model.family.tokenize([items[item].picture.caption for item in micro.items]))
        hidden = functional_call(parts["text_encoder"], changed(parts, pairs, "text_encoder"), (ids,))[0]
        predicted = functional_call(parts["unet"], changed(parts, pairs, "unet"), (noisy, t, hidden)).sample
        loss = torch.nn.functional.mse_loss(predicted, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(matrices, 0.5)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def changed(parts, pairs, part):
    weights = {}
    for name, (down, up, scale) in pairs[part].items():
        weight = parts[part].get_submodule(name).weight
        weights[f"{name}.weight"] = weight + scale * (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    return weights


def own_name(module, path):
    """The path with or without `text_model.`, as this version of transformers has it."""
    return path if path in dict(module.named_modules()) else path.removeprefix("text_model.")


def pixels_of(path):
    with Image.open(path) as image:
        values = torch.tensor(list(image.convert("RGB").tobytes()), dtype=torch.float32)
    return values.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 127.5 - 1


def test_losses_equal_an_independent_reference(make_job, run_job):
    job = make_job(side=SIDE, reg=True, **TABLES)
    expected = reference_losses(job)
    ours = [report.loss for report in run_job(job)]
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 1e-5
    assert abs(ours[-1] - ours[0]) > 1e-3
