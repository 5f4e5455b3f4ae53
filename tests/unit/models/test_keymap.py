"""The key maps held to diffusers' own converter: names and shapes at full size, without memory (meta tensors)."""

import pytest
import torch

from trainer_core.models import modules
from trainer_core.models.configs import CONFIG_NAMES, read_configs
from trainer_core.models.family import COMPONENTS, family_named
from trainer_core.models.keymap import modern_vae_name, unet_keys, vae_keys
from trainer_core.models.keymap_clip import clip_to_diffusers, open_clip_to_diffusers, with_text_model
from trainer_core.models.snapshot import single_file_tensors

UNET_TENSORS, VAE_TENSORS = 686, 248
TEXT_TENSORS = {"sd1": 196, "sd2-base": 372, "sd2-v": 372}
FILE_NAMES = {
    "sd1": UNET_TENSORS + VAE_TENSORS + 196 + 1,  # and the position counter
    "sd2-base": UNET_TENSORS + VAE_TENSORS + 24 * 12 + 4 + 2,  # blocks, embeddings and norm, what is not used
}


def family_of(name: str):
    return family_named("sd2" if "sd2" in name else "sd1")


@pytest.fixture(scope="module")
def on_meta():
    def build(name):
        configs = read_configs(name)
        return {part: modules.build_empty(part, configs[part]) for part in COMPONENTS}

    return build


@pytest.mark.parametrize("name", CONFIG_NAMES)
def test_diffusers_converts_our_single_file_names_to_its_own(on_meta, name):
    from diffusers.loaders import single_file_utils as diffusers

    built, configs = on_meta(name), read_configs(name)
    parts = {part: modules.tensors_of(part, built[part]) for part in COMPONENTS}
    file = single_file_tensors(family_of(name), parts, {})
    unet = diffusers.convert_ldm_unet_checkpoint(dict(file), configs["unet"])
    vae = diffusers.convert_ldm_vae_checkpoint(dict(file), configs["vae"])
    if "sd2" in name:
        text = diffusers.convert_open_clip_checkpoint(built["text_encoder"], dict(file))
        layers = configs["text_encoder"]["num_hidden_layers"]
        text = {key: value for key, value in text.items() if f".layers.{layers}." not in key}
        text.pop("text_projection.weight", None)
    else:
        text = diffusers.convert_ldm_clip_checkpoint(dict(file))
        assert text.pop("text_model.embeddings.position_ids").dtype == torch.int64
    for found, part in ((unet, "unet"), (vae, "vae"), (text, "text_encoder")):
        assert {key: value.shape for key, value in found.items()} == {
            key: value.shape for key, value in parts[part].items()
        }


@pytest.mark.parametrize("name", ["sd1", "sd2-base"])
def test_full_size_files_have_every_published_name(on_meta, name):
    built = on_meta(name)
    parts = {part: modules.tensors_of(part, built[part]) for part in COMPONENTS}
    assert [len(parts[part]) for part in COMPONENTS] == [UNET_TENSORS, VAE_TENSORS, TEXT_TENSORS[name]]
    file = single_file_tensors(family_of(name), parts, {})
    assert len(file) == FILE_NAMES[name]
    widths = {"sd1": 768, "sd2-base": 1024}
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    assert file[key].shape == (320, widths[name])
    assert file["first_stage_model.decoder.mid.attn_1.q.weight"].shape == (512, 512, 1, 1)
    if name == "sd2-base":
        assert file["cond_stage_model.model.transformer.resblocks.23.attn.in_proj_weight"].shape == (3072, 1024)


def test_both_ways_agree(on_meta):
    for name in ("sd1", "sd2-v"):
        for part, keys in (("unet", unet_keys()), ("vae", vae_keys())):
            for key in modules.tensor_names(part, on_meta(name)[part]):
                assert keys.to_diffusers(keys.to_ldm(key)) == key
    assert unet_keys().to_diffusers("label_emb.0.0.weight") is None
    assert vae_keys().to_ldm("nonsense") is None


def test_text_encoder_names_of_every_generation():
    assert with_text_model("embeddings.token_embedding.weight") == "text_model.embeddings.token_embedding.weight"
    assert with_text_model("text_model.final_layer_norm.bias") == "text_model.final_layer_norm.bias"
    doubled = "text_model.encoder.text_model.embeddings.token_embedding.weight"
    assert with_text_model(doubled) == "text_model.embeddings.token_embedding.weight"
    plain = "cond_stage_model.transformer.encoder.layers.3.mlp.fc1.bias"
    assert clip_to_diffusers(plain) == "text_model.encoder.layers.3.mlp.fc1.bias"
    assert clip_to_diffusers("cond_stage_model.transformer.text_model.embeddings.position_ids") is None
    assert open_clip_to_diffusers("cond_stage_model.model.logit_scale") == []
    assert open_clip_to_diffusers("cond_stage_model.model.transformer.resblocks.²x.ln_1.bias") == []


def test_old_vae_names():
    old = "encoder.mid_block.attentions.0.proj_attn.weight"
    assert modern_vae_name(old) == "encoder.mid_block.attentions.0.to_out.0.weight"
    assert (
        modern_vae_name("decoder.mid_block.attentions.0.query.bias") == "decoder.mid_block.attentions.0.to_q.bias"
    )
    assert modern_vae_name("decoder.conv_in.bias") == "decoder.conv_in.bias"


def test_a_bundled_configuration_is_complete(tmp_path):
    from diffusers import StableDiffusionPipeline

    from trainer_core.models.configs import bundled_config

    for name in CONFIG_NAMES:
        folder = bundled_config(name, tmp_path)
        assert StableDiffusionPipeline.load_config(folder)["_class_name"] == "StableDiffusionPipeline"
        assert len(list(folder.rglob("*.json"))) == 8
    with pytest.raises(ValueError, match="sd2-base"):
        bundled_config("sdxl", tmp_path)
