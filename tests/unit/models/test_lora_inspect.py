"""A LoRA file is judged by its header: what it is, whether it is whole, and whether it belongs to the model."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from trainer_core.config.schema import Config, Network
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.lora.build import loaded_adapters, modules_of, new_adapters
from trainer_core.models.lora.file import save_lora
from trainer_core.models.lora.inspect import check_lora_file, read_lora_header
from trainer_core.models.lora.shapes import shapes_of
from trainer_core.models.lora.sizes import lora_numbers
from trainer_core.models.save import save_model
from trainer_core.models.sniff import sniff

BLOCK = "cond_stage_model.model.transformer.resblocks.0"
Q = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture(scope="module")
def tiny(tiny_models):
    return {"sd1": tiny_models["sd1"], "sd2": tiny_models["sd2-v"]}


@pytest.fixture(scope="module")
def lora(tiny, tmp_path_factory):
    """Return a function that writes a new LoRA for a tiny model once, and gives its path."""
    folder = tmp_path_factory.mktemp("loras")

    def write(family="sd1", text_encoder=True, conv_rank=2):
        path = folder / f"{family}-{text_encoder}-{conv_rank}.safetensors"
        if not path.exists():
            network = Network(rank=3, alpha=1.5, conv_rank=conv_rank)
            adapters = new_adapters(tiny[family], network, text_encoder=text_encoder, seed=1)
            save_lora(adapters, path.with_suffix(""), precision=None, metadata={})
        return path

    return write


@pytest.fixture(scope="module")
def infos(tiny, tmp_path_factory):
    """What is known of the tiny models' files before they are loaded."""
    folder = tmp_path_factory.mktemp("models")
    forms = [("sd1", "safetensors"), ("sd2", "safetensors"), ("sd1", "diffusers"), ("sd2", "ckpt")]
    paths = {
        (kind, form): save_model(tiny[kind], folder / f"{kind}-{form}", format=form).paths[0]
        for kind, form in forms
    }
    return {key: sniff(str(path), family=key[0], prediction="auto") for key, path in paths.items()}


@pytest.mark.parametrize("key", [("sd1", "safetensors"), ("sd2", "safetensors"), ("sd1", "diffusers")])
def test_a_models_header_tells_every_shape(key, tiny, infos):
    modules = modules_of(tiny[key[0]], conv=True, text_encoder=True)
    assert shapes_of(infos[key]) == {place: tuple(module.weight.shape) for place, module in modules.items()}


@pytest.mark.parametrize("key", [("sd1", "safetensors"), ("sd2", "safetensors"), ("sd1", "diffusers")])
def test_the_size_is_known_before_it_is_made(key, lora, infos):
    for text_encoder, conv_rank in [(True, 2), (False, 0)]:
        config = Config.model_validate(
            {
                "schema": 1,
                "method": {"train": "lora"},
                "network": {"rank": 3, "conv_rank": conv_rank},
                "text_encoder": {"train": text_encoder},
            }
        )
        assert lora_numbers(config, infos[key]) == read_lora_header(lora(key[0], text_encoder, conv_rank)).numbers


def test_a_whole_one_for_the_model_has_no_problem(lora, infos):
    assert check_lora_file(lora(), infos["sd1", "safetensors"], text_encoder=True) == []
    assert check_lora_file(lora("sd2"), infos["sd2", "ckpt"], text_encoder=True) == []


def test_a_model_with_impossible_shapes_tells_none(saved, tmp_path):
    tensors = load_file(saved("sd2-v"))
    for name in ("model.diffusion_model.middle_block.1.proj_in.weight", f"{BLOCK}.attn.in_proj_weight"):
        save_file({**tensors, name: torch.tensor(1.0)}, tmp_path / "odd.safetensors")
        assert shapes_of(sniff(str(tmp_path / "odd.safetensors"), family="sd2", prediction="v")) is None


def problem_of(path, info, text_encoder=True):
    (error,) = check_lora_file(path, info, text_encoder=text_encoder)
    assert error.code is ExitCode.MODEL
    (problem,) = error.problems
    assert path.name in problem
    return problem


def changed(path, tmp_path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, tmp_path / "changed.safetensors")
    return tmp_path / "changed.safetensors"


def test_the_text_encoder_must_be_trained_as_the_file_has_it(lora, infos):
    info = infos["sd1", "safetensors"]
    assert "set text_encoder.train = false" in problem_of(lora(text_encoder=False), info)
    assert "set text_encoder.train = true" in problem_of(lora(), info, text_encoder=False)
    assert check_lora_file(lora(text_encoder=False), info, text_encoder=False) == []


def test_one_for_another_kind_of_model_is_refused(lora, infos, tmp_path):
    wide = {f"{Q}.lora_down.weight": torch.zeros(3, 48)}  # the tiny U-Net's has 64 inputs
    path = changed(lora(), tmp_path, lambda tensors: tensors.update(wide))
    text = problem_of(path, infos["sd1", "safetensors"])
    assert "made for another kind of model" in text
    assert Q in text


@pytest.mark.parametrize(
    ("said", "prediction", "fits"),
    [("sd_v2_v", "v", True), ("sd_v2", "v", False), ("sd_v2_v", "epsilon", False), (None, "epsilon", True)],
)
def test_one_for_another_prediction_type_is_refused_by_what_it_says_of_itself(
    said, prediction, fits, tiny, infos, tmp_path
):
    adapters = new_adapters(tiny["sd2"], Network(rank=2), text_encoder=False, seed=1)
    facts = {"ss_base_model_version": said} if said else {}
    path = save_lora(adapters, tmp_path / "v", precision=None, metadata=facts).paths[0]
    info = replace(infos["sd2", "safetensors"], prediction=prediction)
    assert (check_lora_file(path, info) == []) == fits
    assert check_lora_file(path, replace(info, prediction_from="a guess")) == []
    model = replace(tiny["sd2"], prediction=prediction)
    if fits:
        assert loaded_adapters(model, path, text_encoder=None).adapters
    else:
        assert f"ss_base_model_version is {said}, and this model is sd_v2" in problem_of(
            path, info, text_encoder=False
        )
        with pytest.raises(UserError, match="made for another kind of model"):
            loaded_adapters(model, path, text_encoder=None)


def test_missing_adapters_are_counted(lora, infos, tmp_path):
    def remove(tensors):
        for name in [name for name in tensors if "_attn1_" in name and "lora_unet" in name]:
            del tensors[name]

    text = problem_of(changed(lora(conv_rank=0), tmp_path, remove), infos["sd1", "safetensors"])
    assert "adapters are missing at 64 of 204 places" in text


def test_1x1_convolutions_may_be_written_as_matrices(tiny, lora, infos, tmp_path):
    def flatten(tensors):
        for name in [
            name for name in tensors if name.endswith(("proj_in.lora_down.weight", "proj_in.lora_up.weight"))
        ]:
            tensors[name] = tensors[name].flatten(1)

    path = changed(lora(), tmp_path, flatten)
    assert check_lora_file(path, infos["sd1", "safetensors"], text_encoder=True) == []
    loaded, original = (loaded_adapters(tiny["sd1"], file, text_encoder=True) for file in (path, lora()))
    pairs = zip(loaded.adapters, original.adapters, strict=True)
    assert all(a.down.equal(b.down) and a.up.equal(b.up) and a.alpha == b.alpha == expected(a) for a, b in pairs)


def expected(adapter):
    return 2.0 if adapter.place.is_wide else 1.5


def test_without_alpha_the_scale_is_one(tiny, lora, tmp_path):
    path = changed(lora(), tmp_path, lambda tensors: tensors.pop(f"{Q}.alpha"))
    adapters = loaded_adapters(tiny["sd1"], path, text_encoder=True).adapters
    assert {adapter.scale for adapter in adapters} == {0.5, 1.0}
    assert next(adapter for adapter in adapters if adapter.place.key == Q).scale == 1.0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "a LoRA for SDXL"),
        ("unet.mid_block.attentions.0.proj_in.lora_A.weight", "PEFT's names"),
        ("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", "LoHa"),
        (f"{Q}.dora_scale", "a DoRA file"),
        ("model.diffusion_model.input_blocks.0.0.weight", "not a LoRA for a U-Net"),
        ("lora_unet_x.lora_down.weight", "only one of its two matrices"),
    ],
)
def test_other_files_are_named_for_what_they_are(name, said, tmp_path):
    save_file({name: torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    assert said in problem_of(tmp_path / "other.safetensors", None)


def test_broken_files_are_told(lora, tmp_path):
    assert "no such file" in problem_of(tmp_path / "none.safetensors", None)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(lora().read_bytes()[:-8])
    assert "the file is damaged" in problem_of(cut, None)
    odd = changed(lora(), tmp_path, lambda tensors: tensors.update({f"{Q}.lora_up.weight": torch.zeros(64, 4)}))
    assert "do not belong together" in problem_of(odd, None)
    extra = changed(lora(), tmp_path, lambda tensors: tensors.update({"position_ids": torch.zeros(4)}))
    assert "position_ids belongs to no adapter" in problem_of(extra, None)


def test_numbers_that_are_not_finite_are_refused(tiny, lora, tmp_path):
    path = changed(lora(), tmp_path, lambda tensors: tensors[f"{Q}.lora_up.weight"].fill_(float("nan")))
    with pytest.raises(UserError, match=rf"{Q}\.lora_up\.weight holds values that are not finite"):
        loaded_adapters(tiny["sd1"], path, text_encoder=True)
    adapters = new_adapters(tiny["sd1"], Network(rank=1), text_encoder=False, seed=1)
    adapters.adapters[0].up.data.fill_(1e30)
    with pytest.raises(UserError, match="use float") as error:
        save_lora(adapters, tmp_path / "wide", precision="fp16", metadata={})
    assert error.value.code is ExitCode.NON_FINITE
    assert not (tmp_path / "wide.safetensors").exists()


def test_what_an_adapter_starts_with_depends_on_its_place_and_the_seed_alone(tiny):
    def start(seed=1, **network):
        adapters = new_adapters(tiny["sd1"], Network(rank=4, **network), text_encoder=False, seed=seed)
        assert all((adapter.up == 0).all() for adapter in adapters.adapters)
        return {adapter.place.key: adapter.down for adapter in adapters.adapters}

    plain, with_conv, other = start(), start(conv_rank=2), start(seed=2)
    assert all(with_conv[key].equal(down) for key, down in plain.items())
    assert not any(other[key].equal(down) for key, down in plain.items())
    for down in plain.values():
        assert 0.7 < down.abs().max() * down[0].numel() ** 0.5 <= 1  # uniform within 1 / sqrt(inputs)
