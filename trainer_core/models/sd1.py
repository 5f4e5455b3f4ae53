"""Stable Diffusion 1.x: CLIP ViT-L/14's text encoder, epsilon prediction, 512 pixels."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trainer_core.models.family import Family, Piece, Prediction
from trainer_core.models.keymap_clip import CLIP_PREFIX, clip_to_diffusers
from trainer_core.models.tokenizer import EOS_TOKEN

if TYPE_CHECKING:
    from torch import Tensor

POSITION_IDS = CLIP_PREFIX + "text_model.embeddings.position_ids"
POSITIONS = CLIP_PREFIX + "text_model.embeddings.position_embedding.weight"


class SD1(Family):
    """Stable Diffusion 1.x."""

    name = "sd1"
    title = "Stable Diffusion 1.x"
    pad_token = EOS_TOKEN
    clip_skip = 1

    def resolution(self, prediction: Prediction) -> int:
        """Return 512; models that predict v are fine-tunes at the same size."""
        return 512

    def architecture(self, prediction: Prediction) -> str:
        """Return modelspec's name, the same for both prediction types."""
        return "stable-diffusion-v1"

    def kohya_facts(self, prediction: Prediction) -> dict[str, str]:
        """Return the same for both prediction types."""
        return {"ss_v2": "False", "ss_base_model_version": "sd_v1"}

    def config_name(self, prediction: Prediction) -> str:
        """Return the configuration of SD 1.5."""
        return "sd1"

    def unet_heads(self, channels: list[int]) -> int:
        """Return 8: every attention of SD 1.x has eight heads."""
        return 8

    def text_layers(self, names: Iterable[str]) -> int:
        """Return the number of layers; all are used."""
        prefix = "text_model.encoder.layers."
        found = [clip_to_diffusers(name) or "" for name in names]
        return len({name.removeprefix(prefix).partition(".")[0] for name in found if name.startswith(prefix)})

    def text_piece(self, name: str) -> Piece:
        """Return the Hugging Face name behind the file's prefix."""
        return Piece(CLIP_PREFIX + name)

    def extra_tensors(self, tensors: dict[str, "Tensor"], kept: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
        """Return the position counter, always int64, which loaders of the first years insist on."""
        import torch

        return {POSITION_IDS: torch.arange(tensors[POSITIONS].shape[0], dtype=torch.int64)[None]}
