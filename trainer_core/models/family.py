"""What differs between model families, behind one interface: nothing outside this package asks which it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from trainer_core.errors import ExitCode, UserError
from trainer_core.models import tokenizer
from trainer_core.models.keymap import is_vae_projection, unet_keys, vae_keys

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Prediction = Literal["epsilon", "v"]
Component = Literal["unet", "vae", "text_encoder"]
COMPONENTS: tuple[Component, ...] = ("unet", "vae", "text_encoder")
UNET_PREFIX, VAE_PREFIX = "model.diffusion_model.", "first_stage_model."


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one tensor of a module lies in a single file.

    Attributes:
        name: the tensor's name in the file.
        third: which third of its rows it is (a fused query-key-value projection), None for the whole.
    """

    name: str
    third: int | None = None


class Family:
    """One model family. Subclasses fill in what differs; instances have no state."""

    name: str
    title: str
    pad_id: int
    clip_skip: int  # the layer the family itself uses, counted from the text encoder's end
    latent_scale: float = 0.18215
    latent_channels: int = 4
    downscale: int = 8  # pixels per latent, along each side
    max_length: int = tokenizer.MAX_LENGTH

    def resolution(self, prediction: Prediction) -> int:
        """Return the side in pixels at which the family's models were trained."""
        raise NotImplementedError

    def architecture(self, prediction: Prediction) -> str:
        """Return the name by which modelspec metadata calls the family."""
        raise NotImplementedError

    def config_name(self, prediction: Prediction) -> str:
        """Return the name of the bundled Diffusers configuration."""
        raise NotImplementedError

    def single_file_yaml(self, prediction: Prediction) -> str | None:
        """Return the text of the `.yaml` that other programs want beside a single file; None if they need none."""
        return None

    def tokenize(self, texts: Iterable[str]) -> list[list[int]]:
        """Return 77 token ids per text, padded in the family's way."""
        return tokenizer.encode(texts, self.max_length, pad_id=self.pad_id)

    def skipped_layers(self, text_encoder: "Module", clip_skip: int | None) -> int:
        """Return how many of the module's last layers `clip_skip` leaves out; a UserError if it cannot."""
        raise NotImplementedError

    def encode(self, text_encoder: "Module", input_ids: "Tensor", clip_skip: int | None = None) -> "Tensor":
        """Return the U-Net's conditioning [B, 77, D] for token ids [B, 77].

        The output of the layer that `clip_skip` chooses (None: the family's own) goes through the final layer
        norm, as in every Stable Diffusion. Gradients flow if the text encoder's parameters want them.
        """
        skipped = self.skipped_layers(text_encoder, clip_skip)
        if skipped == 0:
            hidden: Tensor = text_encoder(input_ids).last_hidden_state
            return hidden
        hidden = text_encoder(input_ids, output_hidden_states=True).hidden_states[-1 - skipped]
        normed: Tensor = text_model(text_encoder).final_layer_norm(hidden)
        return normed

    def unet_heads(self, channels: list[int]) -> int | list[int]:
        """Return the U-Net configuration's `attention_head_dim` (which holds numbers of heads)."""
        raise NotImplementedError

    def text_layers(self, names: Iterable[str]) -> int:
        """Return how many layers of the text encoder in a single file with these tensors are used."""
        raise NotImplementedError

    def text_piece(self, name: str) -> Piece:
        """Return where a text encoder's tensor (name with `text_model.`) lies in a single file."""
        raise NotImplementedError

    def piece(self, component: Component, name: str) -> Piece:
        """Return where the tensor `name` of a module lies in a single file."""
        if component == "text_encoder":
            return self.text_piece(name)
        keys, prefix = (unet_keys(), UNET_PREFIX) if component == "unet" else (vae_keys(), VAE_PREFIX)
        ldm = keys.to_ldm(name)
        if ldm is None:
            raise KeyError(f"{component}: {name} has no name in a single file")
        return Piece(prefix + ldm)

    def extra_tensors(self, tensors: dict[str, "Tensor"], kept: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
        """Return what a complete single file holds besides the modules' own `tensors` (names as in the file)."""
        return {}


def as_stored(component: Component, name: str, tensor: "Tensor") -> "Tensor":
    """Return a module's tensor in the shape that a single file has: the VAE's projections are 1x1 convolutions."""
    if component == "vae" and is_vae_projection(name):
        return tensor[:, :, None, None]
    return tensor


def text_model(text_encoder: "Module") -> Any:
    """Return the module with `embeddings` and `final_layer_norm`; transformers before 5.6 wraps it once more."""
    return getattr(text_encoder, "text_model", text_encoder)


def impossible_clip_skip(clip_skip: int, lowest: int, highest: int, why: str = "") -> UserError:
    """Return the error for a `model.clip_skip` that the text encoder cannot satisfy."""
    reason = f": {why}" if why else ""
    return UserError(
        f"model.clip_skip = {clip_skip} is not possible with this text encoder{reason}; "
        f"use {lowest} to {highest}, or leave it out",
        ExitCode.CONFIG,
    )


def family_named(name: str) -> Family:
    """Return the family called `name` ("sd1", "sd2")."""
    from trainer_core.models.sd1 import SD1
    from trainer_core.models.sd2 import SD2

    families: dict[str, Family] = {"sd1": SD1(), "sd2": SD2()}
    return families[name]
