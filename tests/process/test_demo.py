"""The demo does the whole job: what it ends with is a model that learned and that other programs load."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trainer_core.models.configs import bundled_config

VAE = "first_stage_model."


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "dbtui", "demo", "--runs-dir", str(runs_dir)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return runs_dir, result.stdout


def models(runs_dir: Path) -> tuple[Path, Path]:
    return (
        runs_dir / "demo-files" / "tiny-sd1.safetensors",
        runs_dir / "sls-frog-1" / "output" / "sls-frog.safetensors",
    )


def test_the_loss_on_fixed_noise_fell_far_beyond_its_noise(demo):
    found = re.search(r"loss on the same noise and timesteps: ([\d.]+) before, ([\d.]+) after \((\d+)", demo[1])
    before, after, sigmas = (float(group) for group in found.groups())
    assert after < before * 0.6
    assert sigmas > 15


def test_every_trained_tensor_changed_and_the_vae_is_bit_identical(demo):
    before, after = (load_file(path) for path in models(demo[0]))
    assert before.keys() == after.keys()
    same = {name for name, tensor in before.items() if torch.equal(tensor, after[name])}
    constant = {name for name in before if name.endswith("position_ids")}
    assert same == {name for name in before if name.startswith(VAE)} | constant


def test_diffusers_loads_the_result_without_a_network(demo):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_single_file(
        str(models(demo[0])[1]), config=str(bundled_config("tiny-sd1")), local_files_only=True, safety_checker=None
    )
    picture = pipeline("sls frog", num_inference_steps=2, height=64, width=64, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)


def test_it_says_where_everything_lies(demo):
    runs_dir, output = demo
    assert str(models(runs_dir)[1]) in output
    assert (runs_dir / "demo-files" / "train" / "4_sls frog").is_dir()
    assert "sls-frog-1 is done" in output
