"""Modules of diffusers and transformers: built without memory, then given their weights one by one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer_core.models.configs import Config
from trainer_core.models.family import Component
from trainer_core.models.keymap_clip import TEXT_MODEL, is_position_ids
from trainer_core.models.quiet import quiet_imports


def build_empty(component: Component, config: Config) -> nn.Module:
    """Return a module with the right shapes and no memory (torch's meta device)."""
    quiet_imports()
    with torch.device("meta"):
        if component == "text_encoder":
            from transformers import CLIPTextConfig, CLIPTextModel

            return _as_module(CLIPTextModel(CLIPTextConfig(**config)))
        if component == "unet":
            from diffusers import UNet2DConditionModel

            return _as_module(UNet2DConditionModel.from_config(config))
        from diffusers import AutoencoderKL

        return _as_module(AutoencoderKL.from_config(config))


def tensor_names(component: Component, module: nn.Module) -> dict[str, str]:
    """Return the module's own name of each tensor by its Diffusers name (a text encoder's with `text_model.`)."""
    names = list(module.state_dict())
    if component != "text_encoder":
        return {name: name for name in names}
    return {TEXT_MODEL + name.removeprefix(TEXT_MODEL): name for name in names if not is_position_ids(name)}


def fill(component: Component, module: nn.Module, read: Callable[[str], Tensor]) -> None:
    """Give an empty `module` its tensors, each from `read(Diffusers name)`, without a second copy of any."""
    for name, own_name in tensor_names(component, module).items():
        owner, _, leaf = own_name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, nn.Parameter(read(name)))
    for submodule in module.modules():
        for name, buffer in submodule.named_buffers(recurse=False):
            if name == "position_ids":  # not stored: it only counts
                setattr(submodule, name, torch.arange(buffer.shape[-1]).expand(1, -1).contiguous())
    left = [name for name, tensor in _tensors(module).items() if tensor.is_meta]
    if left:
        raise RuntimeError(f"{component}: no weights for {left}")
    module.eval()


def tensors_of(component: Component, module: nn.Module) -> dict[str, Tensor]:
    """Return the module's tensors by Diffusers name, as they are."""
    state = module.state_dict()
    return {name: state[own_name] for name, own_name in tensor_names(component, module).items()}


def _tensors(module: nn.Module) -> Mapping[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _as_module(built: Any) -> nn.Module:
    if not isinstance(built, nn.Module):
        raise TypeError(f"{type(built).__name__} is not a module")
    return built
