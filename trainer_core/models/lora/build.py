"""Adapters made for a loaded model: new ones, or those of a file."""

import math
import re
from pathlib import Path

import torch
from torch import nn

from trainer_core.config.schema import Network
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.keymap_clip import TEXT_MODEL
from trainer_core.models.lora.adapters import Adapter, Adapters, Dropout
from trainer_core.models.lora.file import read_adapters
from trainer_core.models.lora.inspect import read_lora_header, why_other_kind, why_unfit
from trainer_core.models.lora.places import Part, Place, text_encoder_places, unet_places
from trainer_core.models.model import StableDiffusion
from trainer_core.models.sniff import GUESS
from trainer_core.text import safe_text

_CONV = re.compile(r"\.(resnets|downsamplers|upsamplers)\.")
_TEXT_LAYER = re.compile(r"(text_model\.)?encoder\.layers\.\d+\.")


def new_adapters(model: StableDiffusion, network: Network, *, text_encoder: bool, seed: int) -> Adapters:
    """Return fresh adapters for `model`, not yet attached: `up` zero, `down` as torch starts a Linear.

    What one adapter starts with depends on `seed` and its place alone.
    """
    modules = modules_of(model, conv=network.conv_rank > 0, text_encoder=text_encoder)
    made = [_new(place, module, network, seed) for place, module in modules.items()]
    return Adapters(made, _dropout(network), network.scale_weight_norms)


def started_adapters(model: StableDiffusion, network: Network, path: Path, *, text_encoder: bool) -> Adapters:
    """Return those of the LoRA file `path`, to go on from; see `loaded_adapters`."""
    loaded = loaded_adapters(model, path, text_encoder=text_encoder)
    return Adapters(loaded.adapters, _dropout(network), network.scale_weight_norms)


def loaded_adapters(model: StableDiffusion, path: Path, *, text_encoder: bool | None) -> Adapters:
    """Return the adapters of the LoRA file `path`, not yet attached.

    `text_encoder` tells whether the file must have some for the text encoder (True), must not (False), or may.
    Raises a UserError (exit code 4) that names the file if it is broken or belongs to another kind of model.
    """
    info = read_lora_header(path)
    modules = modules_of(model, conv=info.has_conv, text_encoder=True)
    shapes = {place: tuple(module.get_parameter("weight").shape) for place, module in modules.items()}
    is_guess = model.info.prediction_from == GUESS
    problem = None if is_guess else why_other_kind(info, model.family, model.prediction)
    if problem := problem or why_unfit(info, shapes, text_encoder=text_encoder):
        raise UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
    wanted = {place: shape for place, shape in shapes.items() if place.key in info.pairs}
    return Adapters(read_adapters(path, wanted), Dropout())


def modules_of(model: StableDiffusion, *, conv: bool, text_encoder: bool) -> dict[Place, nn.Module]:
    """Return the modules that get an adapter, found by name and compared with the field's list."""
    found = _by_name(model.unet, "unet", conv=conv)
    places = unet_places(conv=conv)
    if text_encoder:
        texts = _by_name(model.text_encoder, "text_encoder")
        found |= texts
        places += text_encoder_places(len(texts) // len(text_encoder_places(1)))
    expected = {place for place in places if place in found or not place.is_optional}
    if set(found) != expected:
        odd = min(place.path for place in expected ^ set(found))
        raise UserError(
            f"the modules of the model are not those that LoRA adapters belong to ({safe_text(odd)}; "
            f"{len(found)} found, {len(expected)} expected): install the library versions of constraints.txt",
            ExitCode.MODEL,
        )
    return {place: found[place] for place in places if place in expected}


def _by_name(root: nn.Module, part: Part, *, conv: bool = False) -> dict[Place, nn.Module]:
    """Return every Linear and convolution that has its place by where it lies, whatever its owner's class."""
    found: dict[Place, nn.Module] = {}
    for name, module in root.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        if part == "text_encoder" and _TEXT_LAYER.match(name):
            found[Place(part, TEXT_MODEL + name.removeprefix(TEXT_MODEL))] = module
        elif part == "unet" and (".attentions." in name or (conv and _CONV.search(name))):
            found[Place(part, name)] = module
    return found


def _new(place: Place, module: nn.Module, network: Network, seed: int) -> Adapter:
    weight = module.get_parameter("weight")
    rank, alpha = _rank_and_alpha(place, network)
    down = torch.empty(rank, *weight.shape[1:])
    generator = torch.Generator().manual_seed(derive_seed(seed, "lora", place.key))
    nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
    up = torch.zeros(weight.shape[0], rank, *(1 for _ in weight.shape[2:]))
    return Adapter(place, down, up, alpha)


def _rank_and_alpha(place: Place, network: Network) -> tuple[int, float]:
    if place.is_wide:
        return network.conv_rank, network.conv_rank if network.conv_alpha is None else network.conv_alpha
    return network.rank, network.rank if network.alpha is None else network.alpha


def _dropout(network: Network) -> Dropout:
    return Dropout(network.dropout, network.rank_dropout, network.module_dropout)
