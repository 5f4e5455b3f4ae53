"""What differs between model families, behind one interface: nothing outside this package asks which it is."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.keymap import is_vae_projection, unet_keys, vae_keys
from trainer_core.models.text_form import TextForm
from trainer_core.models.tokenizer import MAX_LENGTH

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
    """One model family. Subclasses fill in what differs; an instance knows only how a run reads its texts."""

    name: str
    title: str
    pad_token: str  # fills short texts
    clip_skip: int  # the layer the family itself uses, counted from the text encoder's end
    latent_scale: float = 0.18215
    latent_channels: int = 4
    downscale: int = 8  # pixels per latent, along each side

    def __init__(self) -> None:
        self.text_form = TextForm()

    def reading(self, text_form: TextForm) -> "Family":
        """Return the same family that reads texts in another way."""
        other = copy(self)
        other.text_form = text_form
        return other

    def resolution(self, prediction: Prediction) -> int:
        """Return the side in pixels at which the family's models were trained."""
        raise NotImplementedError

    def architecture(self, prediction: Prediction) -> str:
        """Return the name by which modelspec metadata calls the family."""
        raise NotImplementedError

    def kohya_facts(self, prediction: Prediction) -> dict[str, str]:
        """Return the `ss_` metadata by which web UIs tell the family of a LoRA."""
        raise NotImplementedError

    def config_name(self, prediction: Prediction) -> str:
        """Return the name of the bundled Diffusers configuration."""
        raise NotImplementedError

    def single_file_yaml(self, prediction: Prediction) -> str | None:
        """Return the text of the `.yaml` that other programs want beside a single file; None if they need none."""
        return None

    def tokenize(self, texts: Iterable[str]) -> list[list[int]]:
        """Return token ids, equally many for each text: 77 a part, or as many as the longest text has."""
        rows = self.text_form.rows(texts, self.pad_token)
        used = max((row.used for row in rows), default=0)
        return [row.ids[:used] for row in rows]

    def skipped_layers(self, layers: int, clip_skip: int | None) -> int:
        """Return how many of a text encoder's last layers `clip_skip` leaves out; a UserError if it cannot.

        None is the family's own; `layers` are those that the module has.
        """
        lowest = self.clip_skip  # every module ends with its family's own layer
        highest = lowest + layers - 1
        chosen = self.clip_skip if clip_skip is None else clip_skip
        if not lowest <= chosen <= highest:
            why = f"it has {layers} layers" + (", and the last one of all is not used" if lowest > 1 else "")
            raise UserError(
                f"model.clip_skip = {chosen} is not possible with this text encoder: {why}; "
                f"use {lowest} to {highest}, or leave it out",
                ExitCode.CONFIG,
            )
        return chosen - lowest

    def encode(self, text_encoder: "Module", input_ids: "Tensor", clip_skip: int | None = None) -> "Tensor":
        """Return the U-Net's conditioning for the token ids [B, L] of `tokenize`.

        Up to 77 ids are one part and give [B, L, D]. More are parts of 77, each encoded by itself; they become
        [B, 1 + 75 n + 1, D]: the first part's BOS, the 75 places between BOS and the last in each part, and the
        last place of the last part. Gradients flow if the text encoder's parameters want them.
        """
        count, length = input_ids.shape
        if length <= MAX_LENGTH:
            return self._encode_part(text_encoder, input_ids, clip_skip)
        states = self._encode_part(text_encoder, input_ids.reshape(-1, MAX_LENGTH), clip_skip)
        parts = states.reshape(count, length // MAX_LENGTH, MAX_LENGTH, -1)
        return joined_parts(parts)

    def _encode_part(self, text_encoder: "Module", input_ids: "Tensor", clip_skip: int | None) -> "Tensor":
        """The chosen layer's output goes through the final layer norm, as in every Stable Diffusion."""
        skipped = self.skipped_layers(len(text_model(text_encoder).encoder.layers), clip_skip)
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


def joined_parts(parts: "Tensor") -> "Tensor":
    """Return [B, 1 + 75 n + 1, D] from the hidden states [B, n, 77, D] of n parts."""
    bodies = parts[:, :, 1:-1].flatten(1, 2)
    joined = parts.new_empty(len(parts), bodies.shape[1] + 2, parts.shape[-1])  # this module imports no torch
    joined[:, 0], joined[:, 1:-1], joined[:, -1] = parts[:, 0, 0], bodies, parts[:, -1, -1]
    return joined


def family_named(name: str) -> Family:
    """Return the family called `name` ("sd1", "sd2")."""
    from trainer_core.models.sd1 import SD1
    from trainer_core.models.sd2 import SD2

    families: dict[str, Family] = {"sd1": SD1(), "sd2": SD2()}
    return families[name]
