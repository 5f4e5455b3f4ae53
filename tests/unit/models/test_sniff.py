import json
import shutil
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.sniff import V_BIAS, sniff

CROSS = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"
CONV_OUT = "model.diffusion_model.out.2.weight"
SD1_TEXT = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
SD2_TEXT = "cond_stage_model.model.ln_final.bias"


@pytest.fixture
def model_file(tmp_path):
    """Write a safetensors file with the few tensors that tell what a model is."""

    def write(extra=None, *, cross=768, inputs=4, text=SD1_TEXT, metadata=None, name="m.safetensors"):
        tensors = {
            CROSS: torch.zeros(2, cross),
            CONV_IN: torch.zeros(2, inputs, 3, 3),
            CONV_OUT: torch.zeros(4, 2, 3, 3),
            text: torch.zeros(2),
            **(extra or {}),
        }
        save_file(tensors, tmp_path / name, metadata)
        return str(tmp_path / name)

    return write


def refusal(base, **settings):
    with pytest.raises(UserError) as caught:
        sniff(str(base), **settings)
    assert caught.value.code == ExitCode.MODEL
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("kind", "form", "known_from"),
    [
        ("sd1", "safetensors", "its metadata"),
        ("sd1", "diffusers", "its scheduler"),
        ("sd2-base", "safetensors", "its metadata"),
        ("sd2-v", "diffusers", "its scheduler"),
    ],
)
def test_tiny_models(saved, kind, form, known_from):
    info = sniff(str(saved(kind, form)))
    assert (info.family, info.format) == (kind[:3], form)
    assert info.prediction == ("v" if kind == "sd2-v" else "epsilon")
    assert info.prediction_from == known_from
    assert info.dtypes == {"unet": "F32", "vae": "F32", "text_encoder": "F32"}
    assert info.size_bytes > 20_000_000
    assert not info.has_ema
    assert not info.is_hub_id


def test_the_width_of_the_cross_attention_tells_the_family(model_file):
    assert sniff(model_file(cross=768)).family == "sd1"
    assert sniff(model_file(cross=1024, text=SD2_TEXT)).family == "sd2"
    assert sniff(model_file(cross=40, text=SD2_TEXT)).family == "sd2"
    assert sniff(model_file(cross=40, text=SD1_TEXT)).family == "sd1"


def spread(std: float) -> dict[str, torch.Tensor]:
    values = torch.randn(320, generator=torch.Generator().manual_seed(0))
    return {V_BIAS: (values / values.std() * std).half()}


def test_the_prediction_type_of_sd2(model_file, tmp_path):
    """Metadata wins over the .yaml, the .yaml over the weights."""
    sd2 = {"cross": 1024, "text": SD2_TEXT}

    def found(extra=None, **more):
        info = sniff(model_file(extra, **sd2, **more))
        return info.prediction, info.prediction_from

    assert found(spread(0.2)) == ("v", "its weights")
    assert found(spread(0.05)) == ("epsilon", "its weights")
    assert found() == ("epsilon", "a guess")
    assert found({"v_pred": torch.zeros(0)}) == ("v", "its v_pred mark")
    (tmp_path / "m.yaml").write_text("model:\n  params:\n    parameterization: 'v' # so\n")
    assert found(spread(0.05)) == ("v", "the .yaml beside it")
    (tmp_path / "m.yaml").write_text("model:\n  params:\n    parameterization: eps\n")
    assert found(spread(0.2)) == ("epsilon", "the .yaml beside it")
    assert found(metadata={"modelspec.prediction_type": "v"}) == ("v", "its metadata")
    assert found(metadata={"modelspec.architecture": "stable-diffusion-v2-768-v"}) == ("v", "its metadata")


def test_sd1_predicts_epsilon_unless_something_says_v(model_file):
    assert sniff(model_file(spread(0.5))).prediction == "epsilon"
    assert sniff(model_file(metadata={"modelspec.prediction_type": "v_prediction"})).prediction == "v"


def test_settings_overrule(model_file):
    info = sniff(model_file(), prediction="v")
    assert (info.prediction, info.prediction_from) == ("v", "model.prediction")
    assert info.overruled == "its family"
    assert sniff(model_file(), prediction="epsilon").overruled == ""
    assert "of the family 'sd1'" in refusal(model_file(), family="sd2")


def test_ema_and_types_are_seen(model_file):
    ema = {f"model_ema.x{number}": torch.zeros(1) for number in range(101)}
    info = sniff(model_file({**ema, "first_stage_model.a": torch.zeros(9).bfloat16()}))
    assert info.has_ema
    assert info.dtypes["vae"] == "BF16"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("conditioner.embedders.1.model.ln_final.weight", "SDXL"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux"),
        ("double_blocks.0.img_attn.qkv.weight", "Flux"),
        ("model.diffusion_model.joint_blocks.0.x", "SD 3"),
        ("control_model.input_blocks.0.0.weight", "ControlNet"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "LoRA"),
        ("unet.down_blocks.0.attn1.to_q.lora_A.weight", "LoRA"),
        ("first_stage_model.decoder.conv_in.weight", "VAE alone; give it as model.vae"),
        ("decoder.mid.attn_1.q.weight", "VAE alone"),
        ("down_blocks.0.resnets.0.conv1.weight", "U-Net alone"),
        ("text_model.final_layer_norm.bias", "text encoder alone"),
        ("emb_params", "textual inversion"),
        ("whatever", "not an SD 1.x or SD 2.x model"),
    ],
)
def test_other_files_are_called_by_their_name(tmp_path, name, kind):
    save_file({name: torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    text = refusal(tmp_path / "other.safetensors")
    assert "other.safetensors" in text
    assert kind in text


@pytest.mark.parametrize(
    ("inputs", "kind"), [(9, "inpainting"), (8, "InstructPix2Pix"), (5, "depth"), (6, "special")]
)
def test_special_models_are_called_by_their_name(model_file, inputs, kind):
    assert kind in refusal(model_file(inputs=inputs))


def test_a_unet_with_a_text_encoder_missing(model_file, tmp_path):
    path = model_file(text="first_stage_model.x")
    assert "text encoder is missing" in refusal(path)


def test_shapes_of_another_rank_are_no_crash(tmp_path):
    tensors = {
        CROSS: torch.zeros(2),
        CONV_IN: torch.zeros(2, 4, 3, 3),
        CONV_OUT: torch.zeros(1),
        SD1_TEXT: torch.ones(1),
    }
    save_file(tensors, tmp_path / "m.safetensors")
    assert "other shapes" in refusal(tmp_path / "m.safetensors")


def test_paths_that_are_no_model(tmp_path):
    assert "no such file" in refusal(tmp_path / "gone.safetensors")
    assert "no such file" in refusal("models/gone.ckpt")
    assert "no such file" in refusal("a/b/c")
    (tmp_path / "empty").mkdir()
    assert "no Diffusers model" in refusal(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("hello")
    assert "a .safetensors or .ckpt file" in refusal(tmp_path / "notes.txt")
    (tmp_path / "hostile\x1b[31m.safetensors").write_bytes(struct.pack("<Q", 5))
    assert "\x1b" not in refusal(tmp_path / "hostile\x1b[31m.safetensors")


def test_a_hub_id_is_known_by_its_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    info = sniff("stabilityai/stable-diffusion-2-1", prediction="v")
    assert info.is_hub_id
    assert (info.path, info.family, info.prediction) == (None, None, "v")


def test_a_ckpt_is_not_opened(tmp_path):
    path = tmp_path / "m.ckpt"
    path.write_bytes(b"anything")
    info = sniff(str(path))
    assert (info.format, info.family, info.prediction) == ("ckpt", None, None)
    (tmp_path / "m.yaml").write_text("context_dim: 1024\nparameterization: v\n")
    info = sniff(str(path))
    assert (info.family, info.prediction, info.prediction_from) == ("sd2", "v", "the .yaml beside it")


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved("sd1", "diffusers"), tmp_path / "folder")
    return tmp_path / "folder"


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_folder_reports_all_its_gaps_at_once(folder):
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "text_encoder" / "config.json").unlink()
    text = refusal(folder)
    assert "vae: weights (.safetensors) is missing" in text
    assert "text_encoder: config.json is missing" in text


def test_folders_of_other_kinds(folder):
    edit(folder / "model_index.json", _class_name="StableDiffusionXLPipeline")
    assert "SDXL" in refusal(folder)
    edit(folder / "model_index.json", _class_name="FluxPipeline")
    assert "FluxPipeline" in refusal(folder)
    edit(folder / "model_index.json", _class_name=["nonsense"])
    assert "nonsense" in refusal(folder)
    edit(folder / "model_index.json", _class_name="StableDiffusionPipeline")
    edit(folder / "unet" / "config.json", in_channels=9)
    assert "inpainting" in refusal(folder)


@pytest.mark.row(50)
def test_code_that_a_folder_brings_along_is_not_run(folder):
    (folder / "canary.py").write_text("raise SystemExit('code was run')")
    edit(folder / "model_index.json", unet=["canary", "UNet"])
    assert "code of its own is not run" in refusal(folder)


def test_a_folder_with_a_strange_prediction_type_or_broken_json(folder):
    edit(folder / "scheduler" / "scheduler_config.json", prediction_type="sample")
    assert "'sample'" in refusal(folder)
    (folder / "unet" / "config.json").write_text("{broken")
    assert "config.json: cannot be read" in refusal(folder)
    (folder / "unet" / "config.json").write_text("[1]")
    assert "is not a configuration" in refusal(folder)


def test_a_folder_without_index_and_scheduler_is_still_a_model(folder, load):
    (folder / "model_index.json").unlink()
    shutil.rmtree(folder / "scheduler")
    info = sniff(str(folder))
    assert (info.family, info.prediction, info.prediction_from) == ("sd1", "epsilon", "a guess")
    assert load(folder).scheduler_config["beta_schedule"] == "scaled_linear"


def test_a_damaged_file_in_a_folder_is_named(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    text = refusal(folder)
    assert "unet/diffusion_pytorch_model.safetensors" in text
    assert "damaged" in text
    assert load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
