"""A loaded Stable Diffusion: its three modules and what must be remembered to write it back."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainer_core.models.family import Component, Family, Prediction
from trainer_core.models.sniff import ModelInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module


@dataclass(slots=True)
class StableDiffusion:
    """A model ready to train.

    Attributes:
        info: what the source was.
        family: its family.
        prediction: what its U-Net predicts.
        unet: diffusers' UNet2DConditionModel.
        vae: diffusers' AutoencoderKL.
        text_encoder: transformers' CLIPTextModel.
        scheduler_config: configuration of the noise schedule and sampler, as Diffusers writes it.
        dtypes: storage type of each component in the source.
        kept: tensors of the source that no module holds, by their name in a single file, as stored.
        notes: what the person should know about the load, one line each.
    """

    info: ModelInfo
    family: Family
    prediction: Prediction
    unet: "Module"
    vae: "Module"
    text_encoder: "Module"
    scheduler_config: dict[str, Any]
    dtypes: "dict[Component, torch.dtype]"
    kept: "dict[str, Tensor]" = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def module(self, component: Component) -> "Module":
        """Return one of the three modules."""
        return {"unet": self.unet, "vae": self.vae, "text_encoder": self.text_encoder}[component]
