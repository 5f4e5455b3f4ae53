"""Stable Diffusion with random weights at any widths, and what its parts cost in floating-point operations."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer_core.models import modules
from trainer_core.models.configs import Config, read_configs
from trainer_core.models.family import COMPONENTS, Component, Prediction, family_named
from trainer_core.models.model import StableDiffusion
from trainer_core.models.sniff import FamilyName, ModelInfo


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of each level of the U-Net and of the VAE; width and number of layers of the text encoder."""

    unet: tuple[int, ...]
    vae: tuple[int, ...]
    text: int
    text_layers: int


FULL = Widths(unet=(320, 640, 1280, 1280), vae=(128, 256, 512, 512), text=768, text_layers=12)
FIFTH = Widths(unet=(64, 128, 256, 256), vae=(32, 64, 128, 128), text=128, text_layers=12)
"""A fifth of SD 1.x's U-Net; the VAE a fourth, because its norms want groups of 32; every layer is there."""
TINY = Widths(unet=(32, 64, 64, 64), vae=(32, 32, 32, 32), text=32, text_layers=2)
"""Those of trainer_core.models.tiny: the demo's model."""


def sd1_configs(widths: Widths) -> dict[str, Config]:
    """Return SD 1.x's bundled configurations, at other widths."""
    configs = read_configs("sd1")
    configs["unet"] |= {"block_out_channels": list(widths.unet), "cross_attention_dim": widths.text}
    configs["vae"] |= {"block_out_channels": list(widths.vae)}
    configs["text_encoder"] |= {
        "hidden_size": widths.text,
        "projection_dim": widths.text,
        "intermediate_size": 4 * widths.text,
        "num_attention_heads": max(1, widths.text // 64),
        "num_hidden_layers": widths.text_layers,
    }
    return configs


def random_model(
    configs: dict[str, Config], *, family: FamilyName = "sd1", prediction: Prediction = "epsilon", seed: int = 0
) -> StableDiffusion:
    """Return a model in float32 on the CPU whose weights have variance 1/fan_in."""
    generator = torch.Generator().manual_seed(seed)
    built = {component: _random_module(component, configs[component], generator) for component in COMPONENTS}
    kind = "v_prediction" if prediction == "v" else "epsilon"
    return StableDiffusion(
        info=ModelInfo(
            base=f"random-{family}",
            path=Path(f"random-{family}.safetensors"),
            format="safetensors",
            family=family,
            prediction=prediction,
            prediction_from="its builder",
        ),
        family=family_named(family),
        prediction=prediction,
        unet=built["unet"],
        vae=built["vae"],
        text_encoder=built["text_encoder"],
        scheduler_config={**configs["scheduler"], "prediction_type": kind},
        dtypes=dict.fromkeys(COMPONENTS, torch.float32),
    )


def _random_module(component: Component, config: Config, generator: torch.Generator) -> nn.Module:
    module = modules.build_empty(component, config)
    own, names = module.state_dict(), modules.tensor_names(component, module)

    def read(name: str) -> Tensor:
        shape = own[names[name]].shape
        if len(shape) == 1:
            return torch.zeros(shape) if name.endswith(".bias") else torch.ones(shape)
        # Uniform, because drawing a billion normal numbers takes half a minute.
        limit = 0.03 if "embedding" in name and component == "text_encoder" else (3 / shape[1:].numel()) ** 0.5
        return torch.empty(shape).uniform_(-limit, limit, generator=generator)

    modules.fill(component, module, read)
    return module


def flops_of_a_step(configs: dict[str, Config], side: int) -> dict[Component, float]:
    """Return the operations that one picture costs in a step without a latent cache, by component.

    The U-Net and the text encoder go forward and backward, the VAE's encoder forward only. Counted on torch's
    meta device, so that full-size models cost nothing.

    Args:
        configs: as `read_configs` returns them.
        side: width and height of the picture in pixels.
    """
    built: dict[Component, Any] = {name: modules.build_empty(name, configs[name]) for name in COMPONENTS}
    pixels, latents = _meta(1, 3, side, side), _meta(1, 4, side // 8, side // 8)
    hidden, ids = _meta(1, 77, configs["unet"]["cross_attention_dim"]), _meta(1, 77, dtype=torch.long)
    timestep = _meta(1, dtype=torch.long)
    built["vae"].requires_grad_(False)
    return {
        "vae": _flops(lambda: built["vae"].encode(pixels).latent_dist.mean),
        "text_encoder": _flops(lambda: built["text_encoder"](ids).last_hidden_state.sum().backward()),
        "unet": _flops(lambda: built["unet"](latents, timestep, hidden).sample.sum().backward()),
    }


def share_of(part: Component, flops: dict[Component, float]) -> float:
    """Return which share of all operations `part` has."""
    return flops[part] / sum(flops.values())


def _flops(action: Callable[[], Any]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        action()
    return float(counter.get_total_flops())


def _meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(*shape, dtype=dtype, device="meta")
