"""LoRA files: other programs' reading of them, their keys and metadata, and going on from one."""

import hashlib
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.presets.first_machine import recipe
from trainer_core.config.reader import check_preset
from trainer_core.config.schema import Prompt
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.load import load_model
from trainer_core.models.lora.adapters import Dropout
from trainer_core.models.lora.merge import merge_lora
from trainer_core.models.save import save_model
from trainer_core.run.directory import RunDirectory
from trainer_core.train.outputs import Outputs
from trainer_core.train.result import save_result

TABLES = {
    "method": {"train": "lora"},
    "network": {"rank": 4, "alpha": 2.0, "conv_rank": 2},
    "optimizer": {"type": "adamw", "learning_rate": 2e-2},
    "train": {"max_steps": 3, "workers": 1},
}


@pytest.mark.parametrize(("family", "prediction"), [("sd1", "epsilon"), ("sd2", "v")])
def test_diffusers_draws_with_it_as_with_our_own_merge(family, prediction, make_job, run_job, tmp_path):
    from diffusers import StableDiffusionPipeline

    job = make_job(family, prediction, **TABLES)
    run_job(job)
    file = save_result(job, tmp_path / "frog").paths[0]
    base, merged = load_model(job.config.model), load_model(job.config.model)
    merge_lora(merged, file)
    pictures = []
    for model in (base, merged):
        folder = save_model(model, tmp_path / "model", format="diffusers").paths[0]
        pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        plain = draw(pipeline)
        if model is base:
            without = plain
            pipeline.load_lora_weights(file)
            plain = draw(pipeline)
        pictures.append(plain)
    with_lora, merged_in = pictures
    assert (with_lora - merged_in).abs().max() < 1e-3
    assert (with_lora - without).abs().max() > 0.05


def draw(pipeline):
    generator = torch.Generator().manual_seed(3)
    output = pipeline(
        "sls frog", height=64, width=64, num_inference_steps=4, generator=generator, output_type="pt"
    )
    return output.images[0]


@pytest.fixture
def trained(make_job, run_job):
    """A LoRA after three steps, with everything in it that the metadata can tell."""
    job = make_job(
        **TABLES,
        save={"output_name": "frog", "tag_frequency": True},
        model={"clip_skip": 2},
        loss={"min_snr_gamma": 5.0},
    )
    run_job(job)
    return job


def test_keys_types_and_counts(trained, tmp_path):
    tensors = load_file(save_result(trained, tmp_path / "float").paths[0])
    stems = {name.removesuffix(".alpha") for name in tensors if name.endswith(".alpha")}
    assert len(stems) == 277 + 12  # the tiny U-Net has one shortcut less than the published ones
    endings = ("alpha", "lora_down.weight", "lora_up.weight")
    assert set(tensors) == {f"{stem}.{ending}" for stem in stems for ending in endings}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    conv = "lora_unet_down_blocks_0_resnets_0_conv1"
    assert tensors[f"{conv}.lora_down.weight"].shape[0] == 2
    assert tensors[f"{conv}.lora_down.weight"].shape[2:] == (3, 3)
    assert tensors[f"{conv}.lora_up.weight"].shape[2:] == (1, 1)
    text = "lora_te_text_model_encoder_layers_1_mlp_fc2"
    assert tensors[f"{text}.lora_down.weight"].shape[0] == 4
    assert (tensors[f"{text}.alpha"].item(), tensors[f"{text}.alpha"].shape) == (2.0, ())


def test_the_precision_of_the_file(make_job, tmp_path):
    job = make_job(**TABLES, save={"precision": "fp16"})
    tensors = load_file(save_result(job, tmp_path / "half").paths[0])
    types = {name.rpartition(".")[2]: tensor.dtype for name, tensor in tensors.items()}
    assert types == {"weight": torch.float16, "alpha": torch.float32}


def test_metadata_is_an_allow_list_of_texts(trained, tmp_path):
    file = save_result(trained, tmp_path / "frog").paths[0]
    with safe_open(file, framework="pt") as opened:
        facts = opened.metadata()
    whole = json.dumps(facts)
    assert {name for name in facts if name.startswith("dbtui.")} == {"dbtui.version", "dbtui.preset"}
    assert {name.partition("_")[0].partition(".")[0] for name in facts} == {"dbtui", "modelspec", "ss", "sshs"}
    assert str(tmp_path) not in whole
    assert "/" not in whole.replace("stable-diffusion-v1/lora", "")
    assert (
        facts.items()
        >= {
            "ss_output_name": "frog",
            "ss_network_module": "networks.lora",
            "ss_network_dim": "4",
            "ss_network_alpha": "2",
            "ss_v2": "False",
            "ss_base_model_version": "sd_v1",
            "ss_steps": "3",
            "ss_clip_skip": "2",
            "ss_unet_lr": "0.02",
            "ss_text_encoder_lr": "0.02",
            "ss_min_snr_gamma": "5",
            "ss_sd_model_name": "sd1-epsilon.safetensors",
            "ss_num_train_images": "10",
            "modelspec.architecture": "stable-diffusion-v1/lora",
            "modelspec.prediction_type": "epsilon",
            "modelspec.title": "frog",
            "modelspec.resolution": "64x64",
        }.items()
    )
    assert json.loads(facts["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "2"}
    assert json.loads(facts["ss_tag_frequency"]) == {"2_sls frog": {"sls frog": 5}, "1_frog": {"frog": 3}}
    base = Path(trained.config.model.base).read_bytes()
    assert facts["ss_new_sd_model_hash"] == hashlib.sha256(base).hexdigest()
    assert facts["ss_sd_model_hash"] == hashlib.sha256(base[0x100000:0x110000]).hexdigest()[:8]
    assert recipe(check_preset(facts["dbtui.preset"], "x")) == recipe(trained.config)


def test_hashes_cover_the_weights_and_not_the_title(trained, tmp_path):
    file = save_result(trained, tmp_path / "frog").paths[0]
    with safe_open(file, framework="pt") as opened:
        facts = opened.metadata()
    content = file.read_bytes()
    weights = content[8 + int.from_bytes(content[:8], "little") :]
    assert facts["sshs_model_hash"] == hashlib.sha256(weights).hexdigest()
    alone = safetensors.torch.save(
        load_file(file), {name: text for name, text in facts.items() if name[:3] == "ss_"}
    )
    assert facts["sshs_legacy_hash"] == hashlib.sha256(alone[0x100000:0x110000]).hexdigest()[:8]


@pytest.mark.parametrize("train", ["full", "lora"])
def test_tags_are_told_only_when_asked_for(train, make_job, tmp_path):
    for asked in (False, True):
        job = make_job(method={"train": train}, save={"tag_frequency": asked})
        file = save_result(job, tmp_path / f"{train}-{asked}").paths[0]
        with safe_open(file, framework="pt") as opened:
            told = json.dumps(opened.metadata())
        assert ("sls" in told) == asked


def test_a_run_goes_on_from_a_file(trained, make_job, run_job, tmp_path):
    file = save_result(trained, tmp_path / "frog").paths[0]
    job = make_job(**{**TABLES, "network": {"init_from": str(file)}, "train": {"max_steps": 1, "workers": 1}})
    pairs = list(zip(job.adapters.adapters, trained.adapters.adapters, strict=True))
    assert all(a.up.equal(b.up) and a.down.equal(b.down) and a.alpha == b.alpha for a, b in pairs)
    (report,) = run_job(job)
    fresh = run_job(make_job(**TABLES), 1)[0]
    assert abs(report.loss - fresh.loss) > 1e-3
    assert not job.adapters.adapters[0].up.equal(trained.adapters.adapters[0].up)


def test_a_file_that_is_not_there_is_told_by_the_plan(make_job, tmp_path):
    with pytest.raises(UserError, match=r"none\.safetensors: there is no such file") as error:
        make_job(method={"train": "lora"}, network={"init_from": str(tmp_path / "none.safetensors")})
    assert error.value.code is ExitCode.MODEL


def test_previews_show_what_the_lora_learned_and_nothing_is_left_out(trained, recorder, tmp_path):
    trained.adapters.dropout = Dropout(values=0.5)
    trained.config.sample.prompts.append(Prompt(prompt="sls frog", steps=2))
    drawn = []
    for name, seed in [("one", 1), ("other", 2), ("without", 2)]:
        run = RunDirectory(tmp_path / name)
        trained.adapters.reseed(seed)
        if name == "without":
            trained.adapters.detach()
        Outputs(trained, run, recorder).draw_previews()
        (picture,) = run.samples.iterdir()
        drawn.append(picture.read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]
