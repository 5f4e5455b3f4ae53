"""A loaded Stable Diffusion: its three modules and what must be remembered to write it back."""

from collections.abc import Callable
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
        waiting: reads the weights of a component that are still in their files (`load_model`'s `later`): until
            then its module has shapes, but no memory.
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
    waiting: "dict[Component, Callable[[torch.device, torch.dtype], None]]" = field(default_factory=dict)

    def bring(self, component: Component, device: "torch.device", dtype: "torch.dtype") -> "Module":
        """Return a module, from now on on `device` in `dtype`; weights still in their files go straight there.

        Raises a UserError (exit code 4) that names the file, if what waited cannot be read or is not finite.
        """
        if read := self.waiting.get(component):
            read(device, dtype)
            del self.waiting[component]
        return self.module(component).to(device, dtype)

    def module(self, component: Component) -> "Module":
        """Return one of the three modules."""
        return {"unet": self.unet, "vae": self.vae, "text_encoder": self.text_encoder}[component]
