"""A tiny Stable Diffusion with random weights: the real architecture at small widths, for tests and the demo."""

from pathlib import Path

import torch
from torch import Tensor, nn

from trainer_core.models import modules
from trainer_core.models.configs import read_configs
from trainer_core.models.family import COMPONENTS, Component, Prediction, family_named
from trainer_core.models.model import StableDiffusion
from trainer_core.models.sniff import FamilyName, ModelInfo

CALIBRATION_SIDE = 64


def build_tiny(family: FamilyName = "sd1", prediction: Prediction = "epsilon", seed: int = 0) -> StableDiffusion:
    """Return a tiny model, the same for the same `seed`; its latents of pictures have a spread of about one.

    Saved as a single file it loads with `bundled_config("tiny-sd1")` (or `tiny-sd2-base`, `tiny-sd2-v`).
    """
    kind = family_named(family)
    configs = read_configs(f"tiny-{kind.config_name(prediction)}")
    generator = torch.Generator().manual_seed(seed)
    built = {component: random_module(component, configs[component], generator) for component in COMPONENTS}
    _calibrate_vae(built["vae"], kind.latent_scale, generator)
    return StableDiffusion(
        info=ModelInfo(
            base=f"tiny-{family}",
            path=Path(f"tiny-{family}.safetensors"),
            format="safetensors",
            family=family,
            prediction=prediction,
            prediction_from="its builder",
        ),
        family=kind,
        prediction=prediction,
        unet=built["unet"],
        vae=built["vae"],
        text_encoder=built["text_encoder"],
        scheduler_config=configs["scheduler"],
        dtypes=dict.fromkeys(COMPONENTS, torch.float32),
    )


def random_module(component: Component, config: dict[str, object], generator: torch.Generator) -> nn.Module:
    """Return a module with weights of variance 1/fan_in, norms the identity, biases zero, embeddings as CLIP's."""
    module = modules.build_empty(component, config)
    own = module.state_dict()
    names = modules.tensor_names(component, module)

    def read(name: str) -> Tensor:
        shape = own[names[name]].shape
        if name.endswith(".bias"):
            return torch.zeros(shape)
        if len(shape) == 1:
            return torch.ones(shape)
        spread = 0.02 if "embedding" in name and component == "text_encoder" else shape[1:].numel() ** -0.5
        return torch.randn(shape, generator=generator) * spread

    modules.fill(component, module, read)
    return module


@torch.no_grad()
def _calibrate_vae(vae: nn.Module, scale: float, generator: torch.Generator) -> None:
    """Scale the encoder's output so that scaled latents of soft pictures have mean 0, spread 1, little noise."""
    coarse = torch.rand(8, 3, 4, 4, generator=generator) * 2 - 1
    pictures = nn.functional.interpolate(coarse, size=(CALIBRATION_SIDE, CALIBRATION_SIDE), mode="bilinear")
    output = vae.get_submodule("quant_conv")
    weight, bias = output.get_parameter("weight"), output.get_parameter("bias")
    channels = weight.shape[0] // 2  # the second half is the logarithm of the variance
    moments = vae.encode(pictures).latent_dist.parameters  # type: ignore[operator]
    means = moments[:, :channels]
    spread = means.std(dim=(0, 2, 3)) * scale
    weight[:channels] /= spread[:, None, None, None]
    bias[:channels] -= means.mean(dim=(0, 2, 3)) / spread
    weight[channels:] = 0
    bias[channels:] = -6.0
