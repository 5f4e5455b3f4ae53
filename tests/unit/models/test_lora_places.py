"""Where adapters sit: the field's counts on the modules of the published models, and the names in a file."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from trainer_core.errors import UserError
from trainer_core.models.configs import read_configs
from trainer_core.models.lora.build import modules_of
from trainer_core.models.lora.places import text_encoder_places, unet_places
from trainer_core.models.lora.sizes import NUMBERS_PER_RANK, pair_size
from trainer_core.models.modules import build_empty


@pytest.fixture(scope="module", params=["sd1", "sd2-v"])
def full_size(request):
    """A published model's modules without memory."""
    configs = read_configs(request.param)
    parts = {part: build_empty(part, configs[part]) for part in ("unet", "text_encoder")}
    return SimpleNamespace(name=request.param[:3], **parts)


def test_the_fields_counts_on_full_size_modules(full_size):
    attention = modules_of(full_size, conv=False, text_encoder=False)
    with_conv = modules_of(full_size, conv=True, text_encoder=False)
    everything = modules_of(full_size, conv=True, text_encoder=True)
    assert (len(attention), len(with_conv)) == (192, 278)
    assert len(everything) - len(with_conv) == {"sd1": 72, "sd2": 138}[full_size.name]
    assert list(with_conv) == unet_places(conv=True)
    assert len({place.key for place in everything}) == len(everything)


def test_every_linear_and_1x1_convolution_of_a_transformer_has_its_adapter(full_size):
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    inside = {
        module
        for owner in full_size.unet.modules()
        if isinstance(owner, Transformer2DModel)
        for module in owner.modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))
    }
    assert inside == set(modules_of(full_size, conv=False, text_encoder=False).values())


def test_sizes_without_a_header_are_those_of_the_published_models(full_size):
    modules = modules_of(full_size, conv=True, text_encoder=True)
    each = {place: pair_size(tuple(module.weight.shape), 1) for place, module in modules.items()}
    attention = unet_places(conv=False)
    assert NUMBERS_PER_RANK[full_size.name] == {
        "unet": sum(each[place] for place in attention),
        "unet with conv": sum(n for place, n in each.items() if place.part == "unet" and not place.is_wide),
        "conv": sum(n for place, n in each.items() if place.is_wide),
        "text_encoder": sum(n for place, n in each.items() if place.part == "text_encoder"),
    }


def test_names_in_a_file():
    keys = {place.key for place in [*unet_places(conv=True), *text_encoder_places(12)]}
    assert keys > {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0",
        "lora_unet_up_blocks_1_attentions_0_proj_in",
        "lora_unet_down_blocks_1_resnets_0_conv_shortcut",
        "lora_unet_up_blocks_2_upsamplers_0_conv",
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj",
        "lora_te_text_model_encoder_layers_11_mlp_fc2",
    }


def test_names_do_not_depend_on_the_levels_of_a_librarys_module():
    """Older transformers wrap the text encoder once more, in `text_model`."""
    configs = read_configs("tiny-sd1")
    unet, inner = (build_empty(part, configs[part]) for part in ("unet", "text_encoder"))
    wrapped = nn.Module()
    wrapped.text_model = getattr(inner, "text_model", inner)
    plain, deep = (
        modules_of(SimpleNamespace(unet=unet, text_encoder=text_encoder), conv=False, text_encoder=True)
        for text_encoder in (wrapped.text_model, wrapped)
    )
    assert plain == deep


def test_a_library_that_renames_modules_is_noticed():
    configs = read_configs("tiny-sd1")
    model = SimpleNamespace(**{part: build_empty(part, configs[part]) for part in ("unet", "text_encoder")})
    with torch.device("meta"):
        model.unet.mid_block.attentions[0].gate = nn.Linear(2, 2)
    with pytest.raises(UserError, match=r"mid_block\.attentions\.0\.gate; 193 found, 192 expected"):
        modules_of(model, conv=False, text_encoder=False)
