import json
import os
import resource
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.configs import bundled_config
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny

KINDS = ["sd1", "sd2-base", "sd2-v"]


# A .ckpt holds the same names and is read in a process of its own, which costs seconds: once is enough.
FORMS = [(kind, form) for kind in KINDS for form in ("safetensors", "diffusers")] + [("sd2-v", "ckpt")]


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_diffusers_loads_what_we_write(tiny_models, saved, same_weights, kind, form, tmp_path):
    from diffusers import StableDiffusionPipeline

    path = saved(kind, form)
    if form == "diffusers":
        pipeline = StableDiffusionPipeline.from_pretrained(path, local_files_only=True)
    else:
        config = bundled_config(f"tiny-{kind}", tmp_path)
        pipeline = StableDiffusionPipeline.from_single_file(str(path), config=str(config), local_files_only=True)
    assert same_weights(tiny_models[kind], pipeline)
    assert pipeline.scheduler.config.prediction_type == ("v_prediction" if kind == "sd2-v" else "epsilon")
    assert pipeline.tokenizer.pad_token_id == (49407 if kind == "sd1" else 0)
    assert pipeline.text_encoder.config.hidden_act == ("quick_gelu" if kind == "sd1" else "gelu")


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_we_load_what_we_write(tiny_models, saved, load, same_weights, kind, form):
    model = load(saved(kind, form))
    assert same_weights(tiny_models[kind], model)
    assert model.info.format == form
    assert model.family.name == kind[:3]
    assert model.prediction == tiny_models[kind].prediction
    for part in (model.unet, model.vae, model.text_encoder):
        assert not part.training
        assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in part.parameters())
        assert all(p.requires_grad for p in part.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_returns_every_tensor(saved, load, kind, tmp_path):
    """Single file -> Diffusers -> single file, with tensors in the source that no module holds."""
    from safetensors.torch import save_file

    original = load_file(saved(kind))
    original["alphas_cumprod"] = torch.rand(1000)
    if kind != "sd1":
        original["cond_stage_model.model.logit_scale"] = torch.tensor(4.6052)
        original["cond_stage_model.model.text_projection"] = torch.randn(32, 32)
        last = "cond_stage_model.model.transformer.resblocks.2."
        original |= {name: torch.randn_like(t) for name, t in original.items() if name.startswith(last)}
    with safe_open(saved(kind), framework="pt") as file:
        metadata = file.metadata()
    save_file(original, tmp_path / "source.safetensors", metadata)
    folder = save_model(load(tmp_path / "source.safetensors"), tmp_path / "folder", format="diffusers").paths[0]
    back = save_model(load(folder), tmp_path / "back", format="safetensors").paths[0]
    found = load_file(back)
    assert found.keys() == original.keys()
    assert all(torch.equal(found[name], original[name]) for name in original)
    assert all(found[name].dtype == original[name].dtype for name in original)
    prefix = "cond_stage_model.transformer.text_model." if kind == "sd1" else "cond_stage_model.model."
    assert any(name.startswith(prefix) for name in found)


def test_text_encoder_names_have_their_level_in_every_format(saved):
    assert all(name.startswith("text_model.") for name in load_file(saved("sd1", "diffusers") / TEXT_FILE))
    assert all(name.startswith("text_model.") for name in load_file(saved("sd2-v", "diffusers") / TEXT_FILE))
    names = [name for name in load_file(saved("sd1")) if name.startswith("cond_stage_model.")]
    assert all(name.startswith("cond_stage_model.transformer.text_model.") for name in names)


TEXT_FILE = "text_encoder/model.safetensors"


def test_sd2_from_a_folder_gets_the_parts_that_nothing_uses(saved, load, tmp_path):
    model = load(saved("sd2-v", "diffusers"))
    assert model.kept == {}
    file = load_file(save_model(model, tmp_path / "m", format="safetensors").paths[0])
    blocks = "cond_stage_model.model.transformer.resblocks."
    assert torch.equal(file[f"{blocks}2.ln_1.weight"], file[f"{blocks}1.ln_1.weight"])
    assert torch.equal(file["cond_stage_model.model.text_projection"], torch.ones(32, 32))
    assert torch.equal(file["cond_stage_model.model.logit_scale"], torch.ones(()))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)]
)
@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
def test_precision(tiny_models, load, kind, precision, dtype, tmp_path):
    model = tiny_models[kind]
    model.unet.zero_grad()
    path = save_model(model, tmp_path / "m", format="safetensors", precision=precision).paths[0]
    found = load_file(path)
    position_ids = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    if kind == "sd1":
        assert torch.equal(found.pop(position_ids), torch.arange(77)[None])
    assert {tensor.dtype for tensor in found.values()} == {dtype}
    name = "model.diffusion_model.input_blocks.0.0.weight"
    assert torch.equal(found[name], model.unet.conv_in.weight.detach().to(dtype))
    assert model.unet.conv_in.weight.dtype == torch.float32, "saving must not change the model"
    again = load(path)
    assert set(again.dtypes.values()) == {dtype}
    same = save_model(again, tmp_path / "same").paths[0]
    assert load_file(same)[name].dtype == dtype


def test_each_component_keeps_its_own_type(load, tmp_path):
    model = build_tiny()
    model.dtypes = {"unet": torch.float16, "vae": torch.float32, "text_encoder": torch.bfloat16}
    path = save_model(model, tmp_path / "m", format="diffusers").paths[0]
    assert load(path).dtypes == model.dtypes
    config = json.loads((path / "text_encoder/config.json").read_text())
    assert config["dtype"] == "bfloat16"


def test_yaml_beside_sd2_single_files_only(saved):
    assert not saved("sd1").with_suffix(".yaml").exists()
    v, base = (saved(kind, "ckpt").with_suffix(".yaml").read_text() for kind in ("sd2-v", "sd2-base"))
    assert [line for line in v.splitlines() if line not in base.splitlines()] == ['    parameterization: "v"']
    assert "context_dim: 1024" in base
    assert 'layer: "penultimate"' in base


def test_names_and_modes_as_given(tiny_models, tmp_path):
    old = os.umask(0o077)
    try:
        saved = save_model(tiny_models["sd2-v"], tmp_path / "deep" / "my.model-000100", format="safetensors")
    finally:
        os.umask(old)
    assert [path.name for path in saved.paths] == ["my.model-000100.safetensors", "my.model-000100.yaml"]
    assert stat.S_IMODE(saved.paths[0].stat().st_mode) == 0o644
    assert saved.bytes == sum(path.stat().st_size for path in saved.paths)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == sorted(p.name for p in saved.paths)


def test_metadata_is_written_and_keeps_the_facts(saved, tiny_models, tmp_path):
    path = save_model(tiny_models["sd2-v"], tmp_path / "m", metadata={"ss_steps": "3"}).paths[0]
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_steps"] == "3"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v2-768-v"
    assert metadata["modelspec.prediction_type"] == "v"
    assert metadata["format"] == "pt"


def test_saving_over_a_folder_replaces_it(tmp_path, same_weights, load):
    first, second = build_tiny(seed=1), build_tiny(seed=2)
    save_model(first, tmp_path / "m", format="diffusers")
    (tmp_path / "m" / "stray.txt").write_text("old")
    save_model(second, tmp_path / "m", format="diffusers")
    assert same_weights(load(tmp_path / "m"), second)
    assert not (tmp_path / "m" / "stray.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = build_tiny()
    with torch.no_grad():
        model.unet.conv_in.weight[0, 0, 0, 0] = 1e5
    with pytest.raises(UserError, match=r"conv_in\.weight holds values that are not finite in float16") as caught:
        save_model(model, tmp_path / "m", precision="fp16")
    assert caught.value.code == ExitCode.NON_FINITE
    save_model(model, tmp_path / "m", precision="bf16")
    with torch.no_grad():
        model.unet.conv_in.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        save_model(model, tmp_path / "n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors"]


@pytest.fixture
def no_large_files():
    """A limit on the size of files stands in for the full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("form", "name"), [("safetensors", "m.safetensors"), ("ckpt", "m.ckpt"), ("diffusers", "m")]
)
def test_a_full_disk_is_named_and_leaves_nothing(tiny_models, tmp_path, no_large_files, form, name):
    with pytest.raises(UserError) as caught:
        save_model(tiny_models["sd1"], tmp_path / "m", format=form)
    assert caught.value.code == ExitCode.DISK
    assert caught.value.problems[0].startswith(f"{tmp_path / name}: the model could not be written")
    assert len(caught.value.problems[0].splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_before_writing(tiny_models, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        UserError, match=r"m\.safetensors: not enough room: 0\.04 GB are needed and 1\.00 MB are free"
    ) as caught:
        save_model(tiny_models["sd1"], tmp_path / "m")
    assert caught.value.code == ExitCode.DISK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["safetensors", "ckpt"])
def test_what_reads_back_otherwise_is_an_error(tiny_models, tmp_path, monkeypatch, form):
    """A write that loses a bit on its way to the disk is found, and the file does not appear."""
    import safetensors.torch

    def spoil(tensors):
        name = "model.diffusion_model.out.2.bias"
        return {**tensors, name: tensors[name] + 1}

    real_save_file, real_save = safetensors.torch.save_file, torch.save
    monkeypatch.setattr(safetensors.torch, "save_file", lambda t, path, m: real_save_file(spoil(t), path, m))
    monkeypatch.setattr(
        torch, "save", lambda content, path: real_save({"state_dict": spoil(content["state_dict"])}, path)
    )
    with pytest.raises(UserError, match=r"out\.2\.bias.*reads back otherwise") as caught:
        save_model(tiny_models["sd1"], tmp_path / "m", format=form)
    assert caught.value.code == ExitCode.DISK
    assert list(tmp_path.iterdir()) == []


TYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PREFIXES = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text_encoder": "cond_stage_model."}


@pytest.mark.parametrize("form", ["safetensors", "diffusers", "ckpt"])
def test_each_component_can_have_a_precision_of_its_own(tiny_models, form, tmp_path):
    own = {"unet": "fp16", "vae": "bf16"}
    model = tiny_models["sd2-v"]
    (path, *_) = save_model(model, tmp_path / "m", format=form, precision="float", own_precisions=own).paths
    if form == "diffusers":
        found = {part: load_file(next((path / part).glob("*.safetensors"))) for part in PREFIXES}
        assert json.loads((path / "text_encoder/config.json").read_text())["dtype"] == "float32"
    else:
        tensors = load_file(path) if form == "safetensors" else torch.load(path, weights_only=True)["state_dict"]
        found = {
            part: {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            for part, prefix in PREFIXES.items()
        }
    for part, tensors in found.items():
        types = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
        assert types == {TYPES[{**own, "text_encoder": "float"}[part]]}
