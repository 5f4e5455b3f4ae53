"""The proof of correctness: our losses against a loop written from the formulas, with other libraries' parts.

Pictures have 128 pixels: at 64 the tiny U-Net's deepest feature map is 1 x 1, where a group norm over two values
is a sign function and rounding errors grow a thousandfold a step.
"""

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from PIL import Image

from trainer_core.data.order import derive_seed
from trainer_core.models.load import load_model

GOLDEN = Path(__file__).parent / "golden_losses.json"
STEPS = 20
SIDE = 128
VARIANTS = {
    "sd1-epsilon-reg": {"family": "sd1", "prediction": "epsilon", "reg": True},
    "sd1-epsilon-native": {"family": "sd1", "prediction": "epsilon", "reg": False, "accumulate": 2},
    "sd2-v-reg": {"family": "sd2", "prediction": "v", "reg": True},
    "sd2-v-native": {"family": "sd2", "prediction": "v", "reg": False},
}
SLOW = {"sd1-epsilon-reg", "sd2-v-native"}
"""The others have both families and kinds of prediction, class pictures, and accumulation."""
TABLES = {
    "train": {"max_steps": STEPS, "batch_size": 2, "seed": 7, "workers": 1},
    "optimizer": {"type": "adamw", "learning_rate": 2e-4, "weight_decay": 0.02, "max_grad_norm": 0.5},
    "scheduler": {"type": "cosine", "warmup_steps": 4},
    "prior": {"weight": 0.7},
}


def make_variant(make_job, name, tables=TABLES):
    """Two pictures a step, in one batch or in two."""
    variant = dict(VARIANTS[name])
    passes = variant.pop("accumulate", 1)
    train = {**tables["train"], "batch_size": 2 // passes, "gradient_accumulation": passes}
    return make_job(**variant, **{**tables, "train": train}, side=SIDE)


def reference_losses(job):
    """Train as the field does it: diffusers' scheduler, torch's AdamW and clipping, one picture at a time."""
    config, order, items = job.config, job.samples.order, job.samples.items
    model = load_model(config.model)
    unet, text_encoder, vae = model.unet.train(), model.text_encoder.train(), model.vae
    kind = {"epsilon": "epsilon", "v": "v_prediction"}[config.model.prediction]
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=kind
    )
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.optimizer.learning_rate, weight_decay=0.02, foreach=False)
    rates = get_scheduler("cosine", optimizer, num_warmup_steps=4, num_training_steps=STEPS)
    losses = []
    for step in range(STEPS):
        micro_batches = order.step(step)
        total = sum(len(micro.items) for micro in micro_batches)
        step_loss = 0.0
        for number, micro in enumerate(micro_batches):
            generator = torch.Generator().manual_seed(derive_seed(config.train.seed, "noise", step, number))
            count = len(micro.items)
            posterior = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
            noise = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
            timesteps = torch.randint(1000, (count,), generator=generator)
            for i, item in enumerate(micro.items):
                with torch.no_grad():
                    distribution = vae.encode(pixels_of(items[item].picture.path)).latent_dist
                latents = (distribution.mean + distribution.std * posterior[i : i + 1]) * 0.18215
                t = timesteps[i : i + 1]
                ids = torch.tensor(model.family.tokenize([items[item].picture.caption]))
                predicted = unet(scheduler.add_noise(latents, noise[i : i + 1], t), t, text_encoder(ids)[0]).sample
                if kind == "epsilon":
                    target = noise[i : i + 1]
                else:
                    target = scheduler.get_velocity(latents, noise[i : i + 1], t)
                weight = 0.7 if items[item].is_class else 1.0
                loss = weight * torch.nn.functional.mse_loss(predicted, target) / total
                loss.backward()
                step_loss += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        losses.append(step_loss)
    return losses


def pixels_of(path):
    with Image.open(path) as image:
        values = torch.tensor(list(image.convert("RGB").tobytes()), dtype=torch.float32)
    return values.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in VARIANTS]
)
def test_losses_equal_an_independent_reference_and_the_committed_ones(name, make_job, run_job):
    job = make_variant(make_job, name)
    expected = reference_losses(job)
    ours = [report.loss for report in run_job(job)]
    assert len(ours) == STEPS
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 1e-5
    golden = json.loads(GOLDEN.read_text())[name]
    assert ours == pytest.approx(golden, rel=1e-4), "if the change is meant: python tools/golden_losses.py"


def test_the_updates_show_in_the_losses(make_job, run_job):
    """The comparison above would prove little if the weights hardly moved."""
    frozen = {**TABLES, "optimizer": {**TABLES["optimizer"], "learning_rate": 1e-12}}
    golden = json.loads(GOLDEN.read_text())["sd1-epsilon-reg"]
    still = [report.loss for report in run_job(make_variant(make_job, "sd1-epsilon-reg", frozen))]
    assert still[0] == pytest.approx(golden[0], abs=1e-5)
    assert abs(still[-1] - golden[-1]) > 0.05
