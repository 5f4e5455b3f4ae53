"""Stable Diffusion 2.x: OpenCLIP ViT-H/14's text tower without its last block; base models and 768-v models."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trainer_core.models.family import Family, Piece, Prediction
from trainer_core.models.keymap_clip import OPEN_CLIP_PREFIX, diffusers_to_open_clip

if TYPE_CHECKING:
    from torch import Tensor

BLOCKS = OPEN_CLIP_PREFIX + "transformer.resblocks."
TEXT_PROJECTION = OPEN_CLIP_PREFIX + "text_projection"
LOGIT_SCALE = OPEN_CLIP_PREFIX + "logit_scale"
POSITIONS = OPEN_CLIP_PREFIX + "positional_embedding"
USED_LAYERS = 23  # of the 24 that OpenCLIP ViT-H/14 has

# The facts of the reference configurations; the two differ in the `parameterization` line alone.
YAML = """\
model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:{parameterization}
    linear_start: 0.00085
    linear_end: 0.0120
    timesteps: 1000
    image_size: 64
    channels: 4
    conditioning_key: crossattn
    scale_factor: 0.18215
    use_ema: False

    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        use_checkpoint: True
        use_fp16: True
        image_size: 32
        in_channels: 4
        out_channels: 4
        model_channels: 320
        attention_resolutions: [4, 2, 1]
        num_res_blocks: 2
        channel_mult: [1, 2, 4, 4]
        num_head_channels: 64
        use_spatial_transformer: True
        use_linear_in_transformer: True
        transformer_depth: 1
        context_dim: 1024
        legacy: False

    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
      params:
        embed_dim: 4
        ddconfig:
          double_z: true
          z_channels: 4
          resolution: 256
          in_channels: 3
          out_ch: 3
          ch: 128
          ch_mult: [1, 2, 4, 4]
          num_res_blocks: 2
          attn_resolutions: []
          dropout: 0.0
        lossconfig:
          target: torch.nn.Identity

    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder
      params:
        freeze: True
        layer: "penultimate"
"""


class SD2(Family):
    """Stable Diffusion 2.x."""

    name = "sd2"
    title = "Stable Diffusion 2.x"
    pad_token = "!"
    clip_skip = 2

    def resolution(self, prediction: Prediction) -> int:
        """Return 512 for base models, 768 for those that predict v."""
        return 768 if prediction == "v" else 512

    def architecture(self, prediction: Prediction) -> str:
        """Return modelspec's name of the base model or of the 768-v model."""
        return "stable-diffusion-v2-768-v" if prediction == "v" else "stable-diffusion-v2-512"

    def kohya_facts(self, prediction: Prediction) -> dict[str, str]:
        """Return the version with its prediction type."""
        return {"ss_v2": "True", "ss_base_model_version": "sd_v2_v" if prediction == "v" else "sd_v2"}

    def config_name(self, prediction: Prediction) -> str:
        """Return the configuration of SD 2.1 or SD 2.1 base."""
        return "sd2-v" if prediction == "v" else "sd2-base"

    def single_file_yaml(self, prediction: Prediction) -> str:
        """Return the configuration without which older programs take the file for SD 1.x."""
        return YAML.format(parameterization='\n    parameterization: "v"' if prediction == "v" else "")

    def unet_heads(self, channels: list[int]) -> list[int]:
        """Return one head per 64 channels, at least one."""
        return [max(1, width // 64) for width in channels]

    def text_layers(self, names: Iterable[str]) -> int:
        """Return the number of blocks less the last, which is not used; 23 blocks are a file already cut."""
        numbers = {name.removeprefix(BLOCKS).partition(".")[0] for name in names if name.startswith(BLOCKS)}
        return len(numbers) if len(numbers) == USED_LAYERS else len(numbers) - 1

    def text_piece(self, name: str) -> Piece:
        """Return OpenCLIP's name, and the third of the fused projection where it is one."""
        return Piece(*diffusers_to_open_clip(name))

    def extra_tensors(self, tensors: dict[str, "Tensor"], kept: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
        """Return the unused last block, text projection and logit scale where the source had none.

        No program uses them, but loaders miss them: the block repeats the one before it, the others are ones.
        """
        import torch

        last = max(int(name.removeprefix(BLOCKS).partition(".")[0]) for name in tensors if name.startswith(BLOCKS))
        before, new = f"{BLOCKS}{last}.", f"{BLOCKS}{last + 1}."
        extras = {new + n.removeprefix(before): t for n, t in tensors.items() if n.startswith(before)}
        width = tensors[POSITIONS].shape[1]
        extras[TEXT_PROJECTION] = torch.ones(width, width, dtype=tensors[POSITIONS].dtype)
        extras[LOGIT_SCALE] = torch.ones((), dtype=tensors[POSITIONS].dtype)
        return {name: tensor for name, tensor in extras.items() if name not in kept}
