"""The demo does the whole job: six pictures teach a model that draws one particular frog, and its hat is seen.

The whole of it is slow; the short form trains two steps, which is enough to see what it writes and tells.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from dbtui.demo.before_after import read_pairs
from dbtui.demo.files import MODEL_FILE, DemoChoices, write_demo_files
from trainer_core.config.reader import read_config
from trainer_core.run.directory import RunDirectory

VAE = "first_stage_model."
SHORT = [sys.executable, str(Path(__file__).parent / "short_demo.py")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "dbtui", "demo", "--runs-dir", str(runs_dir)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return runs_dir, result.stdout


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """What two steps of the demo leave and say."""
    runs_dir = tmp_path_factory.mktemp("short")
    result = subprocess.run([*SHORT, str(runs_dir)], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return runs_dir, result.stdout


def models(runs_dir: Path) -> tuple[Path, Path]:
    return runs_dir / "demo-files" / MODEL_FILE, runs_dir / "sls-frog-1" / "output" / "sls-frog.safetensors"


def redness(path: Path) -> float:
    """The share of a picture's upper half that is as red as the hat."""
    with Image.open(path) as picture:
        upper = picture.convert("RGB").crop((0, 0, picture.width, picture.height // 2))
    pixels = upper.tobytes()
    colors = [pixels[at : at + 3] for at in range(0, len(pixels), 3)]
    return sum(red > 150 and green < 110 and blue < 110 for red, green, blue in colors) / len(colors)


@pytest.mark.slow
def test_the_hat_appears_on_the_subject_and_not_on_its_class(demo):
    pairs = read_pairs(RunDirectory(demo[0] / "sls-frog-1"))
    subject = [pair for pair in pairs if "sls" in pair.prompt]
    others = [pair for pair in pairs if "sls" not in pair.prompt]
    assert subject
    assert others
    gained = sum(redness(pair.after) - redness(pair.before) for pair in subject) / len(subject)
    assert gained > 0.02
    assert sum(redness(pair.after) - redness(pair.before) for pair in others) / len(others) < gained / 2


def test_every_trained_tensor_changed_and_the_vae_is_bit_identical(short):
    before, after = (load_file(path) for path in models(short[0]))
    assert before.keys() == after.keys()
    same = {name for name, tensor in before.items() if torch.equal(tensor, after[name])}
    constant = {name for name in before if name.endswith("position_ids")}
    assert same == {name for name in before if name.startswith(VAE)} | constant


def test_diffusers_loads_the_result_without_a_network(short, tmp_path):
    from diffusers import StableDiffusionPipeline

    from trainer_core.config.schema import Model
    from trainer_core.models.load import load_model
    from trainer_core.models.save import save_model

    save_model(load_model(Model(base=str(models(short[0])[1]))), tmp_path / "frog", format="diffusers")
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "frog", safety_checker=None).to(torch.float32)
    picture = pipeline("sls frog", num_inference_steps=2, height=64, width=64, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)


def test_it_says_where_everything_lies(short):
    runs_dir, output = short
    for path in (
        models(runs_dir)[1],
        runs_dir / "sls-frog-1" / "report.html",
        runs_dir / "demo-files" / "demo.toml",
    ):
        assert str(path) in output
        assert path.is_file()
    sheet = runs_dir / "sls-frog-1" / "before-after.png"
    assert str(sheet) in output
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 64


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("prior", [False, True])
def test_each_choice_is_a_run_file_of_its_own(tmp_path, lora, prior):
    config = read_config(write_demo_files(tmp_path, DemoChoices(lora=lora, prior=prior)))
    assert config.method.train == ("lora" if lora else "full")
    assert (config.dataset.reg_dir is not None) == prior
    assert len(list((tmp_path / "train" / "4_sls frog").iterdir())) == 6
