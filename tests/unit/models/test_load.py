import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.preflight import check_model
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny

UNET_BIAS = "model.diffusion_model.out.2.bias"


@pytest.fixture
def changed(saved, tmp_path):
    """Save a changed copy of a tiny single file and return its path."""

    def make(change, kind="sd1"):
        tensors = load_file(saved(kind))
        change(tensors)
        path = tmp_path / "changed.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return path

    return make


def refusal(load, path, **settings) -> str:
    with pytest.raises(UserError) as caught:
        load(path, **settings)
    assert caught.value.code == ExitCode.MODEL
    assert all(len(problem.splitlines()) == 1 for problem in caught.value.problems)
    return "\n".join(caught.value.problems)


@pytest.mark.row(21)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", [UNET_BIAS, "first_stage_model.encoder.conv_in.bias"])
def test_weights_that_are_not_finite_are_refused(load, changed, name, value):
    text = refusal(load, changed(lambda tensors: tensors[name].__setitem__(0, value)))
    assert "changed.safetensors" in text
    assert "not finite" in text


def test_missing_tensors_are_named(load, changed):
    text = refusal(load, changed(lambda tensors: tensors.pop(UNET_BIAS)))
    assert "the U-Net lacks conv_out.bias" in text


def test_many_problems_become_a_short_list(load, changed):
    def drop(tensors):
        for name in [name for name in tensors if ".attn2.to_q." in name]:
            del tensors[name]

    text = refusal(load, changed(drop))
    assert len(text.splitlines()) == 6
    assert "more such problems" in text


def test_a_wrong_shape_is_named(load, changed):
    text = refusal(load, changed(lambda tensors: tensors.update({UNET_BIAS: torch.zeros(5)})))
    assert "conv_out.bias of the U-Net has the shape [5] instead of [4]" in text


def test_a_foreign_unet_tensor_is_named(load, changed):
    text = refusal(
        load, changed(lambda t: t.update({"model.diffusion_model.label_emb.0.0.weight": torch.zeros(1)}))
    )
    assert "label_emb" in text


def test_a_file_without_text_encoder_level_or_with_position_ids_loads(load, changed, saved, same_weights):
    """Old files lack `text_model.`; some hold position ids cast to half."""

    def age(tensors):
        prefix = "cond_stage_model.transformer."
        for name in [name for name in tensors if name.startswith(prefix)]:
            tensors[name.replace("text_model.", "")] = tensors.pop(name)
        tensors[prefix + "embeddings.position_ids"] = torch.arange(77)[None].half() + 0.5

    model = load(changed(age))
    assert same_weights(model, load(saved("sd1")))
    assert torch.equal(model.text_encoder.embeddings.position_ids, torch.arange(77)[None])


def test_odd_position_ids_of_wd14_are_dropped(load, changed):
    name = "cond_stage_model.model.text_model.encoder.text_model.embeddings.position_ids"
    model = load(changed(lambda tensors: tensors.update({name: torch.arange(77)[None]}), "sd2-base"))
    assert name not in model.kept


def test_ema_weights_are_left_behind_and_said(load, changed):
    def add_ema(tensors):
        prefix = "model.diffusion_model."
        for name in [name for name in tensors if name.startswith(prefix)]:
            ema = "model_ema." + name.removeprefix("model.").replace(".", "")
            tensors[ema] = tensors[name] + 1
        tensors["model_ema.decay"] = torch.tensor(0.9999)

    path = changed(add_ema)
    model = load(path)
    assert model.info.has_ema
    assert "EMA" in model.notes[0]
    assert not any(name.startswith("model_ema.") for name in model.kept)


def test_what_no_module_holds_is_kept(load, changed):
    model = load(changed(lambda tensors: tensors.update({"betas": torch.rand(1000), "v_pred": torch.zeros(0)})))
    assert set(model.kept) == {"betas", "v_pred"}
    assert model.prediction == "v"


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ("safetensors", "model"),
        ("safetensors", "vae file"),
        ("safetensors", "bare vae file"),
        ("diffusers", "model"),
        ("diffusers", "vae file"),
        ("diffusers", "bare vae file"),
        ("ckpt", "bare vae file"),
    ],
)
def test_another_vae(load, saved, same_weights, tmp_path, form, what):
    other = build_tiny(seed=5)
    path = save_model(other, tmp_path / "other", format=form).paths[0]
    if what != "model":
        path = _vae_alone(path, form, tmp_path, bare=what == "bare vae file")
    model = load(saved("sd1"), vae=str(path))
    assert same_weights(model, other, ["vae"])
    assert same_weights(model, load(saved("sd1")), ["unet", "text_encoder"])


def _vae_alone(path, form, tmp_path, *, bare):
    if form == "diffusers":
        if not bare:
            return path / "vae"
        return path / "vae" / "diffusion_pytorch_model.safetensors"
    whole = load_file(path) if form == "safetensors" else torch.load(path, weights_only=True)["state_dict"]
    prefix = "first_stage_model."
    tensors = {name: tensor for name, tensor in whole.items() if name.startswith(prefix)}
    if bare:
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    alone = tmp_path / f"vae.{form}"
    save_file(tensors, alone) if form == "safetensors" else torch.save({"state_dict": tensors}, alone)
    return alone


def test_a_missing_vae_can_be_supplied(load, saved, changed, same_weights):
    def drop(tensors):
        for name in [name for name in tensors if name.startswith("first_stage_model.")]:
            del tensors[name]

    path = changed(drop)
    assert "model.vae" in refusal(load, path)
    assert same_weights(load(path, vae=str(saved("sd1"))), load(saved("sd1")))


def test_a_vae_that_is_none(load, saved, tmp_path):
    assert "no such file" in refusal(load, saved("sd1"), vae=str(tmp_path / "gone.safetensors"))
    (tmp_path / "empty").mkdir()
    assert "holds no VAE" in refusal(load, saved("sd1"), vae=str(tmp_path / "empty"))
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    assert "holds no VAE" in refusal(load, saved("sd1"), vae=str(tmp_path / "a.safetensors"))


def test_a_folder_with_old_vae_names_and_shards(load, saved, same_weights, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(saved("sd1", "diffusers"), folder)
    vae = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in load_file(vae).items():
        for new, aged in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{aged}.")
        tensors[name] = tensor
    save_file(tensors, vae)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    names = list(load_file(unet).items())
    save_file(dict(names[:300]), folder / "unet" / "diffusion_pytorch_model-00001-of-00002.safetensors")
    save_file(dict(names[300:]), folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors")
    unet.unlink()
    assert same_weights(load(folder), load(saved("sd1")))


def test_a_variant_is_used_where_there_is_no_plain_file(load, saved, same_weights, tmp_path):
    folder = tmp_path / "variant"
    shutil.copytree(saved("sd1", "diffusers"), folder)
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_name(file.stem + ".fp16.safetensors"))
    assert same_weights(load(folder), load(saved("sd1")))


def test_a_folders_own_settings_win_where_shapes_say_nothing(load, saved, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(saved("sd2-base", "diffusers"), folder)
    path = folder / "unet" / "config.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "upcast_attention": True, "attention_head_dim": 2})
    )
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "beta_start": 0.001}))
    model = load(folder)
    assert model.unet.config.upcast_attention is True
    assert model.unet.config.attention_head_dim == 2
    assert model.scheduler_config["beta_start"] == 0.001


def test_a_folders_nonsense_is_refused(load, saved, tmp_path):
    folder = tmp_path / "bad"
    shutil.copytree(saved("sd1", "diffusers"), folder)
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "norm_num_groups": "many"}))
    assert "incomplete or has another architecture" in refusal(load, folder)


def test_progress_says_what_goes_on(saved):
    from trainer_core.config.schema import Model
    from trainer_core.models.load import load_model

    said = []
    load_model(Model(base=str(saved("sd1"))), progress=said.append)
    assert said == ["loading the U-Net", "loading the VAE", "loading the text encoder"]


def test_a_loaded_model_does_not_depend_on_its_file(saved, load, tmp_path):
    """Weights are not mapped from the file, which may be replaced or cut short while training goes on."""
    path = tmp_path / "m.safetensors"
    shutil.copy(saved("sd1"), path)
    model = load(path)
    before = model.unet.conv_in.weight.detach().clone()
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
        file.truncate(100)
    assert torch.equal(model.unet.conv_in.weight, before)


def test_no_model_at_all():
    from trainer_core.config.schema import Model
    from trainer_core.models.load import load_model

    with pytest.raises(UserError, match=r"model\.base is missing"):
        load_model(Model())


def test_a_vae_of_another_scale_is_refused_unless_it_is_replaced(load, saved, same_weights, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(saved("sd1", "diffusers"), folder)
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "scaling_factor": 0.13025}))
    words = f"{config}: the VAE's scaling_factor is 0.13025"
    assert words in refusal(load, folder)
    assert words in refusal(load, saved("sd1"), vae=str(folder))
    for settings in ({"base": str(folder)}, {"base": str(saved("sd1")), "vae": str(folder / "vae")}):
        _, errors = check_model(ModelSettings.model_validate(settings))
        assert any(words in str(error) for error in errors)
    model = load(folder, vae=str(saved("sd1")))
    assert model.vae.config.scaling_factor == 0.18215
    assert same_weights(model, load(saved("sd1")))
