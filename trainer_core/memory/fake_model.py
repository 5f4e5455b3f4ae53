"""A Stable Diffusion of the right shapes whose tensors have no memory."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from trainer_core.models import modules
from trainer_core.models.configs import Config as ModuleConfig
from trainer_core.models.configs import read_configs
from trainer_core.models.family import COMPONENTS, Component, Prediction, family_named
from trainer_core.models.model import StableDiffusion
from trainer_core.models.sniff import FamilyName, ModelInfo

_CONVOLUTION = 4
"""Dimensions of what has a memory format."""
Make = Callable[[torch.Size], Tensor]
"""Gives a weight its tensor."""
Configs = Mapping[str, ModuleConfig]
"""Configurations of U-Net, VAE, text encoder and scheduler, as Diffusers writes them."""


def published_configs(family: FamilyName, prediction: Prediction) -> Configs:
    """Return the configurations of the published models of a family."""
    return read_configs(family_named(family).config_name(prediction))


def build_fake(
    family: FamilyName,
    prediction: Prediction,
    configs: Configs,
    make: Callable[[torch.Size], Tensor] = torch.empty,
) -> StableDiffusion:
    """Return float32 modules, each tensor from `make(shape)`, as `load_model` does with a file's.

    Inside torch's FakeTensorMode they take no memory.
    """
    kind = family_named(family)
    built = {component: _module(component, configs[component], make) for component in COMPONENTS}
    return StableDiffusion(
        info=ModelInfo(
            base="rehearsal",
            path=None,
            format="safetensors",
            family=family,
            prediction=prediction,
            prediction_from="its caller",
        ),
        family=kind,
        prediction=prediction,
        unet=built["unet"],
        vae=built["vae"],
        text_encoder=built["text_encoder"],
        scheduler_config=dict(configs["scheduler"]),
        dtypes=dict.fromkeys(COMPONENTS, torch.float32),
    )


def _module(component: Component, config: ModuleConfig, make: Make) -> nn.Module:
    module = modules.build_empty(component, config)
    own, names = module.state_dict(), modules.tensor_names(component, module)
    modules.fill(component, module, lambda name: make(own[names[name]].shape))
    if any(isinstance(parameter, FakeTensor) for parameter in module.parameters()):
        vars(module)["to"] = partial(_to, module)
    return module


def _to(module: nn.Module, *where: Any, memory_format: torch.memory_format | None = None) -> nn.Module:
    """Stands in for `Module.to`, which swaps the contents of tensors; fake ones do not let it."""
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            moved = parameter.detach().to(*where) if where else parameter.detach()
            if memory_format is not None and moved.dim() == _CONVOLUTION:
                moved = moved.contiguous(memory_format=memory_format)
            owner.register_parameter(name, nn.Parameter(moved, parameter.requires_grad))
    return module
