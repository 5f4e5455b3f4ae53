"""The recipe of the demo model: its parts fit together, and into the size that ships."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tools.demo_model import train_vae
from tools.demo_model.start import build
from tools.demo_model.train_vae import Training
from tools.demo_model.vae_model import build_vae, scale_latents
from tools.demo_model.vae_pictures import as_input, draw_pictures
from trainer_core.config.reader import read_config
from trainer_core.models.family import COMPONENTS
from trainer_core.models.lora.build import modules_of

RUN_FILE = Path(__file__).parent.parent.parent / "tools" / "demo_model" / "finetune.toml"
MOST_BYTES = 16_000_000


@pytest.fixture(scope="module")
def pictures():
    return draw_pictures(8, 0)


@torch.no_grad()
def test_scaled_latents_have_a_spread_of_one_and_the_pictures_stay(pictures):
    vae, seen = build_vae(0), as_input(pictures)
    before = vae.decode(vae.encode(seen).latent_dist.mean).sample
    noise = vae.encode(seen).latent_dist
    share = noise.std.mean(dim=(0, 2, 3)) / noise.mean.std(dim=(0, 2, 3))
    scale_latents(vae, seen)
    latents = vae.encode(seen).latent_dist
    assert torch.allclose((latents.mean * 0.18215).std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(latents.mean.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(latents.std.mean(dim=(0, 2, 3)) / latents.mean.std(dim=(0, 2, 3)), share, rtol=1e-3)
    assert torch.allclose(vae.decode(latents.mean).sample, before, atol=1e-3)


def test_the_whole_is_small_enough_in_fp16_and_takes_a_lora(tmp_path):
    vae_file = tmp_path / "vae.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in build_vae(0).state_dict().items()}, vae_file)
    model = build(vae_file)
    weights = sum(weight.numel() for part in COMPONENTS for weight in model.module(part).parameters())
    assert 2 * weights < MOST_BYTES - 150_000  # names and shapes take some
    assert model.text_encoder.config.vocab_size == 49408
    places = modules_of(model, conv=True, text_encoder=True)  # refuses a model with other modules than SD 1.x
    assert {place.part for place in places} == {"unet", "text_encoder"}


def test_the_vae_goes_on_exactly_where_it_stopped(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(train_vae, "BATCH", 2)
    straight, stopped = Training(tmp_path / "straight", 4, 0, 1), Training(tmp_path / "stopped", 4, 0, 1)
    for training, steps in ((straight, 2), (stopped, 1)):
        training.folder.mkdir()
        for _ in range(steps):
            training.learn(pictures)
    stopped.save(as_input(pictures[:2]))
    resumed = Training(tmp_path / "stopped", 4, 0, 1)
    resumed.learn(pictures)
    assert resumed.step == straight.step == 2
    for name, tensor in straight.average.state_dict().items():
        assert torch.equal(tensor, resumed.average.state_dict()[name]), name


def test_the_finetuning_is_a_run_file(tmp_path):
    target = tmp_path / "finetune.toml"
    target.write_bytes(RUN_FILE.read_bytes())
    config = read_config(target)
    assert config.method.captions == "finetune"
    assert config.ema.enable
    assert config.save.precision == "fp16"
