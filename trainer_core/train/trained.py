"""Which weights are trained, in which groups, and in which types they lie on the device."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import Parameter

from trainer_core.config.schema import Config
from trainer_core.train.attention import set_attention
from trainer_core.train.learning_rate import peak_learning_rates
from trainer_core.train.precision import Precision


@dataclass(frozen=True, slots=True)
class Group:
    """Weights that share a learning rate.

    Attributes:
        component: "unet" or "text_encoder": what the weights belong to.
        parameters: the weights by a name that no other group has.
        learning_rate: the peak.
    """

    component: str
    parameters: dict[str, Parameter]
    learning_rate: float


def place_for_training(config: Config, model: Any, device: torch.device, precision: Precision) -> list[Group]:
    """Put U-Net and text encoder on the device in their training types; return what is trained of them."""
    set_attention(model.unet, config.memory.attention, device)
    if config.memory.gradient_checkpointing:
        model.unet.enable_gradient_checkpointing()
        if config.text_encoder.train:
            model.text_encoder.gradient_checkpointing_enable({"use_reentrant": False})
    model.unet.to(device, precision.weights).train().requires_grad_(True)
    model.text_encoder.to(device, precision.weights).requires_grad_(config.text_encoder.train)
    model.text_encoder.train(config.text_encoder.train)
    unet_peak, text_encoder_peak = peak_learning_rates(config.optimizer, config.text_encoder, config.train)
    groups = [_group("unet", model.unet, unet_peak)]
    if config.text_encoder.train:
        groups.append(_group("text_encoder", model.text_encoder, text_encoder_peak))
    return groups


def _group(component: str, module: Any, learning_rate: float) -> Group:
    parameters = {f"{component}.{name}": parameter for name, parameter in module.named_parameters()}
    return Group(component, parameters, learning_rate)
