import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.convert import SCHEDULERS, convert, form_of_target, scheduler_config

BIAS = "model.diffusion_model.out.2.bias"


@pytest.fixture
def with_ema(saved, tmp_path):
    tensors = load_file(saved("sd1"))
    for name in [name for name in tensors if name.startswith("model.diffusion_model.")]:
        tensors["model_ema." + name.removeprefix("model.").replace(".", "")] = tensors[name] + 1
    save_file(tensors, tmp_path / "ema.safetensors")
    return tmp_path / "ema.safetensors"


@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
@pytest.mark.parametrize("source", ["safetensors", "diffusers"])
@pytest.mark.parametrize("target", ["out.safetensors", "out.ckpt", "out"])
def test_any_way(saved, load, same_weights, tmp_path, kind, source, target):
    done = convert(str(saved(kind, source)), tmp_path / target)
    assert done.saved.paths[0] == tmp_path / target
    assert done.form == form_of_target(tmp_path / target)
    if target != "out.ckpt":
        assert same_weights(load(tmp_path / target), load(saved(kind, source)))
        return
    state, expected = torch.load(tmp_path / target, weights_only=True)["state_dict"], load_file(saved(kind))
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_ema_weights_are_taken_when_asked_for(with_ema, saved, tmp_path):
    convert(str(with_ema), tmp_path / "out.safetensors", ema=True)
    found, plain = load_file(tmp_path / "out.safetensors"), load_file(saved("sd1"))
    assert found.keys() == plain.keys()
    assert torch.equal(found[BIAS], plain[BIAS] + 1)
    name = "first_stage_model.encoder.conv_in.bias"
    assert torch.equal(found[name], plain[name])


@pytest.mark.parametrize("form", ["safetensors", "diffusers"])
def test_no_ema_weights_to_take(saved, tmp_path, form):
    with pytest.raises(UserError, match="EMA") as caught:
        convert(str(saved("sd1", form)), tmp_path / "out", ema=True)
    assert caught.value.code == ExitCode.MODEL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_is_one_that_diffusers_builds(saved, tmp_path, name):
    import diffusers

    from trainer_core.models.configs import read_configs

    config = scheduler_config(read_configs("sd2-v")["scheduler"], name)
    built = getattr(diffusers, config["_class_name"]).from_config(config)
    assert built.config.prediction_type == "v_prediction"
    reference = diffusers.DDPMScheduler.from_config(read_configs("sd2-v")["scheduler"])
    torch.testing.assert_close(built.alphas_cumprod, reference.alphas_cumprod)


def test_a_scheduler_goes_into_a_folder_only(saved, tmp_path):
    convert(str(saved("sd1")), tmp_path / "out", scheduler="ddim")
    index = json.loads((tmp_path / "out" / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", "DDIMScheduler"]
    with pytest.raises(UserError) as caught:
        convert(str(saved("sd1")), tmp_path / "out.ckpt", scheduler="magic")
    assert caught.value.code == ExitCode.CONFIG
    assert len(caught.value.problems) == 2, "all problems at once"


def test_nothing_is_overwritten_unasked(saved, tmp_path):
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(UserError, match="--force"):
        convert(str(saved("sd1")), target)
    assert target.read_bytes() == b"precious"
    convert(str(saved("sd1")), target, force=True)
    assert target.stat().st_size > 10_000_000
    home = tmp_path / "photos"
    home.mkdir()
    (home / "a.jpg").write_bytes(b"precious")
    with pytest.raises(UserError, match="something other than a model"):
        convert(str(saved("sd1")), home, force=True)
    assert (home / "a.jpg").exists()


def test_the_name_that_is_really_written_is_looked_at(saved, tmp_path):
    other = tmp_path / "B.safetensors"
    other.write_bytes(b"precious")
    with pytest.raises(UserError, match=r"B\.safetensors exists already.*--force") as caught:
        convert(str(saved("sd1")), tmp_path / "B.SAFETENSORS")
    assert caught.value.code == ExitCode.CONFIG
    assert other.read_bytes() == b"precious"
    done = convert(str(saved("sd1")), tmp_path / "C.CKPT")
    assert done.saved.paths == [tmp_path / "C.ckpt"]


def test_a_link_that_leads_nowhere_is_not_overwritten(saved, tmp_path):
    (tmp_path / "out.ckpt").symlink_to("nowhere")
    with pytest.raises(UserError, match="exists already"):
        convert(str(saved("sd1")), tmp_path / "out.ckpt")


def test_a_yaml_beside_the_target_is_not_overwritten_unasked(saved, tmp_path):
    yaml = tmp_path / "out.yaml"
    yaml.write_text("precious")
    with pytest.raises(UserError, match=r"out\.yaml exists already.*--force") as caught:
        convert(str(saved("sd2-v")), tmp_path / "out.safetensors")
    assert caught.value.code == ExitCode.CONFIG
    assert [path.name for path in tmp_path.iterdir()] == ["out.yaml"]
    assert yaml.read_text() == "precious"
    convert(str(saved("sd1")), tmp_path / "out.ckpt")
    assert yaml.read_text() == "precious", "an SD 1.x model needs none"
    convert(str(saved("sd2-v")), tmp_path / "out.safetensors", force=True)
    assert "parameterization" in yaml.read_text()
    (tmp_path / "out.safetensors").unlink()
    convert(str(saved("sd2-v")), tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").exists(), "a yaml that says the same already is no obstacle"


@pytest.mark.parametrize("name", ["a.safetensor", "a.pt", "a.PTH", "model.bin", ".ckpt", "frog.v2.zip"])
def test_endings_that_no_model_is_written_with(saved, tmp_path, name):
    with pytest.raises(UserError, match=r"\.safetensors or \.ckpt") as caught:
        convert(str(saved("sd1")), tmp_path / name)
    assert caught.value.code == ExitCode.CONFIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["sd-v1.5", "frog.v2", "my model", "1.0-frog"])
def test_folders_may_have_versions_in_their_names(saved, tmp_path, name):
    convert(str(saved("sd1", "diffusers")), tmp_path / name)
    assert (tmp_path / name / "model_index.json").is_file()


def test_the_options_are_called_by_their_names(saved, tmp_path):
    for options in ({"family": "sd2"}, {"family": "sd3"}, {"vae": ""}):
        with pytest.raises(UserError) as caught:
            convert(str(saved("sd1")), tmp_path / "out", **options)
        (problem,) = caught.value.problems
        assert "model." not in problem.replace(str(saved("sd1")), "")


def run(*arguments):
    command = [sys.executable, "-m", "dbtui", "convert", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command(saved, tmp_path, load):
    own = ("--vae-precision", "float")
    done = run(saved("sd1"), tmp_path / "out", "--half", *own, "--scheduler", "ddim", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["family"], report["prediction"], report["format"]) == ("sd1", "epsilon", "diffusers")
    assert report["paths"] == [str(tmp_path / "out")]
    half = torch.float16
    assert load(tmp_path / "out").dtypes == {"unet": half, "text_encoder": half, "vae": torch.float32}
    told = [line for line in done.stderr.splitlines() if not line.startswith(("loading", "reading", "writing"))]
    assert told == [], "the libraries' chatter must not show"


def test_the_commands_refusals(saved, tmp_path):
    for arguments, code, words in [
        ((tmp_path / "gone.safetensors", tmp_path / "out"), 4, "no such file"),
        ((saved("sd1"), tmp_path / "out.ckpt", "--scheduler", "ddim"), 2, "only a Diffusers folder"),
        ((saved("sd1"), tmp_path / "out.ckpt", "--half", "--precision", "bf16"), 2, "different things"),
    ]:
        done = run(*arguments)
        assert done.returncode == code
        assert words in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
