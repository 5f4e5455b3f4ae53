"""A LoRA added into a model's weights for good: W + scale * alpha / rank * up down."""

from pathlib import Path

import torch

from trainer_core.models.lora.build import loaded_adapters, modules_of
from trainer_core.models.model import StableDiffusion


@torch.no_grad()
def merge_lora(model: StableDiffusion, path: Path, scale: float = 1.0) -> None:
    """Add the LoRA file `path`, times `scale`, to the weights of `model`, in their own type.

    Raises a UserError (exit code 4) that names the file if it is broken or belongs to another kind of model.
    """
    adapters = loaded_adapters(model, path, text_encoder=None)
    modules = modules_of(model, conv=True, text_encoder=True)
    for adapter in adapters.adapters:
        weight = modules[adapter.place].get_parameter("weight")
        weight.add_((adapter.change() * scale).to(weight.device, weight.dtype))
