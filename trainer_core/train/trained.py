"""Which weights are trained, in which groups, and in which types they lie on the device."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import Parameter

from trainer_core.config.schema import Config
from trainer_core.models.bus import Bus
from trainer_core.models.lora.adapters import Adapter, Adapters
from trainer_core.models.lora.build import modules_of, new_adapters, started_adapters
from trainer_core.models.lora.inspect import DOWN, UP
from trainer_core.models.lora.places import Part
from trainer_core.models.quantized import quantize
from trainer_core.models.streamed import stream
from trainer_core.train.attention import set_attention
from trainer_core.train.learning_rate import peak_learning_rates
from trainer_core.train.precision import Precision
from trainer_core.train.weight_layout import layout_for

_ALWAYS_THERE = ("conv_in", "conv_out", "time_embedding")
"""Modules of the U-Net that all of its numbers pass, and that are small."""
_PARTS: tuple[Part, Part] = ("unet", "text_encoder")


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


def make_adapters(config: Config, model: Any) -> Adapters | None:
    """Return the LoRA to train, new or from `network.init_from`, attached to `model`; None for full training.

    Raises a UserError (exit code 4) that names the file, if it does not belong to this model.
    """
    if config.method.train != "lora":
        return None
    network, text_encoder = config.network, config.text_encoder.train
    if network.init_from is None:
        adapters = new_adapters(model, network, text_encoder=text_encoder, seed=config.train.seed)
    else:
        adapters = started_adapters(model, network, Path(network.init_from), text_encoder=text_encoder)
    adapters.attach(modules_of(model, conv=True, text_encoder=True))
    return adapters


def place_for_training(
    config: Config,
    model: Any,
    device: torch.device,
    precision: Precision,
    adapters: Adapters | None = None,
    bus: Bus | None = None,
) -> list[Group]:
    """Put U-Net and text encoder on the device in their types; return what is trained: they, or `adapters`."""
    is_full, has_text_encoder = adapters is None, config.text_encoder.train
    home = torch.device("cpu") if config.memory.fsdp else device  # it comes to the device cut (train/sharded.py)
    _read_to_be_made_smaller(config, model, adapters, bus)
    set_attention(model.unet, config.memory.attention, device)
    if config.memory.gradient_checkpointing:
        checkpoint_gradients(model, text_encoder=has_text_encoder)
    if adapters is not None and config.memory.base_dtype != "same":
        quantize(model.unet, config.memory.base_dtype, precision.base, beside=_ALWAYS_THERE)
        if has_text_encoder:  # else its output is cached, as a rule, and it leaves the device
            quantize(model.text_encoder, config.memory.base_dtype, precision.base)
    if adapters is not None and bus is not None and config.memory.stream_weights:
        stream_weights(model, bus, precision.base, text_encoder=has_text_encoder)
    model.bring("unet", home, precision.base).train().requires_grad_(is_full)
    layout = layout_for(config, device, precision)
    if layout is not torch.contiguous_format:
        model.unet.to(memory_format=layout)
    model.bring("text_encoder", home if has_text_encoder else device, precision.base).requires_grad_(
        is_full and has_text_encoder
    )
    model.text_encoder.train(has_text_encoder)
    peaks = dict(
        zip(_PARTS, peak_learning_rates(config.optimizer, config.text_encoder, config.train), strict=True)
    )
    parts = _PARTS if has_text_encoder else _PARTS[:1]
    if adapters is None:
        return [_whole(part, model.module(part), peaks[part]) for part in parts]
    adapters.to(device, precision.weights)
    ratio = config.network.loraplus_lr_ratio
    return [group for part in parts for group in _adapter_groups(part, adapters.of(part), peaks[part], ratio)]


def _read_to_be_made_smaller(config: Config, model: Any, adapters: Adapters | None, bus: Bus | None) -> None:
    """Read into main memory, and not onto the device, what is quantized or stays in main memory."""
    is_streamed = bus is not None and config.memory.stream_weights
    if adapters is not None and (config.memory.base_dtype != "same" or is_streamed):
        for part in _PARTS if config.text_encoder.train else _PARTS[:1]:
            if part in model.waiting:
                model.bring(part, torch.device("cpu"), torch.float32)


def checkpoint_gradients(model: Any, *, text_encoder: bool) -> None:
    """From now on compute activations twice instead of keeping them."""
    model.unet.enable_gradient_checkpointing()
    if text_encoder:
        model.text_encoder.gradient_checkpointing_enable({"use_reentrant": False})


def stream_weights(model: Any, bus: Bus, dtype: torch.dtype, *, text_encoder: bool) -> None:
    """From now on keep frozen weights in main memory."""
    stream(model.unet.to(dtype), bus, beside=_ALWAYS_THERE)
    if text_encoder:  # else its output is cached, as a rule, and it leaves the device
        stream(model.text_encoder.to(dtype), bus)


def _whole(part: Part, module: Any, learning_rate: float) -> Group:
    parameters = {f"{part}.{name}": parameter for name, parameter in module.named_parameters()}
    return Group(part, parameters, learning_rate)


def _adapter_groups(part: Part, adapters: list[Adapter], learning_rate: float, ratio: float) -> Iterator[Group]:
    """Yield one group, or two where the up matrices learn faster (LoRA+, Hayou et al. 2024, section 4)."""
    parameters = {name: value for adapter in adapters for name, value in adapter.parameters().items()}
    if ratio == 1:
        yield Group(part, parameters, learning_rate)
        return
    yield Group(part, {name: value for name, value in parameters.items() if name.endswith(DOWN)}, learning_rate)
    yield Group(
        part, {name: value for name, value in parameters.items() if name.endswith(UP)}, learning_rate * ratio
    )
