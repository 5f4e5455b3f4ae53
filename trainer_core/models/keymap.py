"""Names of tensors in the single-file ("LDM") layout and in the Diffusers layout, both ways.

The U-Net is LDM's openaimodel and the VAE its AutoencoderKL, each with four levels and two residual blocks per
level, as in every Stable Diffusion 1.x and 2.x. A `KeyMap` translates whole prefixes; what follows a prefix
(`weight`, or the inside of a transformer block) is the same in both layouts.
"""

from collections.abc import Iterable
from functools import lru_cache

LEVELS = 4
BLOCKS_PER_LEVEL = 2

UNET_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_RESNET = {
    "norm1": "norm1",
    "conv1": "conv1",
    "norm2": "norm2",
    "conv2": "conv2",
    "nin_shortcut": "conv_shortcut",
}
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
# Diffusers before 0.17 named the same projections otherwise.
OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class KeyMap:
    """Pairs of prefixes (single file, Diffusers), each ending at a dot."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._to_diffusers = dict(pairs)
        self._to_ldm = {new: old for old, new in self._to_diffusers.items()}

    def to_diffusers(self, name: str) -> str | None:
        """Return the Diffusers name of the single file's `name`; None if it is not one of this component."""
        return _replace_prefix(name, self._to_diffusers)

    def to_ldm(self, name: str) -> str | None:
        """Return the single file's name of Diffusers' `name`; None if it is not one of this component."""
        return _replace_prefix(name, self._to_ldm)


def _replace_prefix(name: str, prefixes: dict[str, str]) -> str | None:
    head, rest = name, ""
    while head:
        if head in prefixes:
            return prefixes[head] + rest
        head, dot, last = head.rpartition(".")
        rest = dot + last + rest
    return None


@lru_cache(maxsize=1)
def unet_keys() -> KeyMap:
    """Return the map of the U-Net; single-file names are without `model.diffusion_model.`."""
    pairs = [
        ("time_embed.0", "time_embedding.linear_1"),
        ("time_embed.2", "time_embedding.linear_2"),
        ("input_blocks.0.0", "conv_in"),
        ("out.0", "conv_norm_out"),
        ("out.2", "conv_out"),
        ("middle_block.1", "mid_block.attentions.0"),
    ]
    pairs += _resnet("middle_block.0", "mid_block.resnets.0", UNET_RESNET)
    pairs += _resnet("middle_block.2", "mid_block.resnets.1", UNET_RESNET)
    for level in range(LEVELS):
        pairs += _unet_down(level) + _unet_up(level)
    return KeyMap(pairs)


def _unet_down(level: int) -> list[tuple[str, str]]:
    """Input blocks count on through the levels; after each level but the last comes its downsampler."""
    first = 1 + level * (BLOCKS_PER_LEVEL + 1)
    pairs = []
    for block in range(BLOCKS_PER_LEVEL):
        ldm, diffusers = f"input_blocks.{first + block}", f"down_blocks.{level}"
        pairs += _resnet(f"{ldm}.0", f"{diffusers}.resnets.{block}", UNET_RESNET)
        if level < LEVELS - 1:
            pairs.append((f"{ldm}.1", f"{diffusers}.attentions.{block}"))
    if level < LEVELS - 1:
        pairs.append((f"input_blocks.{first + BLOCKS_PER_LEVEL}.0.op", f"down_blocks.{level}.downsamplers.0.conv"))
    return pairs


def _unet_up(level: int) -> list[tuple[str, str]]:
    """Output blocks: one residual block more per level; the first (deepest) level has no attention."""
    first = level * (BLOCKS_PER_LEVEL + 1)
    pairs = []
    for block in range(BLOCKS_PER_LEVEL + 1):
        ldm, diffusers = f"output_blocks.{first + block}", f"up_blocks.{level}"
        pairs += _resnet(f"{ldm}.0", f"{diffusers}.resnets.{block}", UNET_RESNET)
        if level > 0:
            pairs.append((f"{ldm}.1", f"{diffusers}.attentions.{block}"))
    if level < LEVELS - 1:
        place = 1 if level == 0 else 2  # behind the attention, where there is one
        ldm = f"output_blocks.{first + BLOCKS_PER_LEVEL}.{place}.conv"
        pairs.append((ldm, f"up_blocks.{level}.upsamplers.0.conv"))
    return pairs


@lru_cache(maxsize=1)
def vae_keys() -> KeyMap:
    """Return the map of the VAE; single-file names are without `first_stage_model.`."""
    pairs = [("quant_conv", "quant_conv"), ("post_quant_conv", "post_quant_conv")]
    for side in ("encoder", "decoder"):
        pairs += [(f"{side}.{name}", f"{side}.{name}") for name in ("conv_in", "conv_out")]
        pairs.append((f"{side}.norm_out", f"{side}.conv_norm_out"))
        pairs += _resnet(f"{side}.mid.attn_1", f"{side}.mid_block.attentions.0", VAE_ATTENTION)
        for block in (0, 1):
            pairs += _resnet(f"{side}.mid.block_{block + 1}", f"{side}.mid_block.resnets.{block}", VAE_RESNET)
    for level in range(LEVELS):
        pairs += _vae_level("encoder", "down", level, level, BLOCKS_PER_LEVEL)
        pairs += _vae_level("decoder", "up", level, LEVELS - 1 - level, BLOCKS_PER_LEVEL + 1)
    return KeyMap(pairs)


def _vae_level(side: str, way: str, level: int, diffusers_level: int, blocks: int) -> list[tuple[str, str]]:
    """One level of encoder or decoder; LDM counts the decoder's levels from the picture's end."""
    ldm, diffusers = f"{side}.{way}.{level}", f"{side}.{way}_blocks.{diffusers_level}"
    pairs = [(f"{ldm}.{way}sample.conv", f"{diffusers}.{way}samplers.0.conv")]
    for block in range(blocks):
        pairs += _resnet(f"{ldm}.block.{block}", f"{diffusers}.resnets.{block}", VAE_RESNET)
    return pairs


def _resnet(ldm: str, diffusers: str, leaves: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"{ldm}.{old}", f"{diffusers}.{new}") for old, new in leaves.items()]


def is_vae_projection(diffusers_name: str) -> bool:
    """Return whether this weight is [out, in] in Diffusers and a 1x1 convolution in a single file."""
    head, _, leaf = diffusers_name.rpartition(".")
    projection = head.partition(".attentions.0.")[2]
    return leaf == "weight" and projection in {"to_q", "to_k", "to_v", "to_out.0"}


def modern_vae_name(diffusers_name: str) -> str:
    """Return the name that Diffusers 0.17 and later use for a tensor of the VAE."""
    head, middle, tail = diffusers_name.partition(".attentions.0.")
    projection, dot, leaf = tail.partition(".")
    return head + middle + OLD_VAE_ATTENTION.get(projection, projection) + dot + leaf
