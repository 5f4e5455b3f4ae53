"""Where a LoRA's adapters sit, and what its file calls them: the field's golden list. No torch.

The list is written down here, and not read off the modules, because libraries rename those (transformers 5 dropped
the text encoder's `text_model.` level) while every program that reads LoRA files expects these names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Part = Literal["unet", "text_encoder"]
PREFIXES: dict[Part, str] = {"unet": "lora_unet_", "text_encoder": "lora_te_"}
TEXT_LAYERS = "text_model.encoder.layers."

_LEVELS = range(4)
_SHORTCUT = "conv_shortcut"
_BLOCK = (
    *(f"{attention}.{projection}" for attention in ("attn1", "attn2") for projection in ("to_q", "to_k", "to_v")),
    "attn1.to_out.0",
    "attn2.to_out.0",
    "ff.net.0.proj",
    "ff.net.2",
)
_TEXT_LAYER = (*(f"self_attn.{name}_proj" for name in ("q", "k", "v", "out")), "mlp.fc1", "mlp.fc2")


@dataclass(frozen=True, slots=True)
class Place:
    """One module that gets an adapter.

    Attributes:
        part: what it belongs to.
        path: its Diffusers name, a text encoder's with `text_model.`.
    """

    part: Part
    path: str

    @property
    def key(self) -> str:
        """What the file calls it, without `.lora_down.weight`, `.lora_up.weight` or `.alpha`."""
        return PREFIXES[self.part] + self.path.replace(".", "_")

    @property
    def is_wide(self) -> bool:
        """Whether it is a 3x3 convolution, which has a rank of its own (network.conv_rank)."""
        return self.path.endswith((".conv1", ".conv2", "samplers.0.conv"))

    @property
    def is_optional(self) -> bool:
        """Whether a model may lack it: a residual block has a shortcut only where the width changes."""
        return self.path.endswith(_SHORTCUT)


def unet_places(*, conv: bool) -> list[Place]:
    """Return the 192 places in the transformers of the U-Net; with `conv`, the 86 in its residual blocks too."""
    paths = [*_transformers(), *(_convolutions() if conv else ())]
    return [Place("unet", path) for path in paths]


def text_encoder_places(layers: int) -> list[Place]:
    """Return the 6 places in each of the text encoder's layers: 72 in SD 1.x, 138 in SD 2.x."""
    return [
        Place("text_encoder", f"{TEXT_LAYERS}{layer}.{name}") for layer in range(layers) for name in _TEXT_LAYER
    ]


def _transformers() -> Iterator[str]:
    owners = [f"down_blocks.{level}.attentions.{number}" for level in _LEVELS[:3] for number in range(2)]
    owners += [f"up_blocks.{level}.attentions.{number}" for level in _LEVELS[1:] for number in range(3)]
    for owner in ["mid_block.attentions.0", *owners]:
        yield f"{owner}.proj_in"
        yield from (f"{owner}.transformer_blocks.0.{name}" for name in _BLOCK)
        yield f"{owner}.proj_out"


def _convolutions() -> Iterator[str]:
    owners = [f"mid_block.resnets.{number}" for number in range(2)]
    owners += [f"down_blocks.{level}.resnets.{number}" for level in _LEVELS for number in range(2)]
    owners += [f"up_blocks.{level}.resnets.{number}" for level in _LEVELS for number in range(3)]
    for owner in owners:
        yield from (f"{owner}.{name}" for name in ("conv1", "time_emb_proj", "conv2"))
        if owner.startswith("up_blocks") or owner in {"down_blocks.1.resnets.0", "down_blocks.2.resnets.0"}:
            yield f"{owner}.{_SHORTCUT}"
    yield from (f"down_blocks.{level}.downsamplers.0.conv" for level in _LEVELS[:3])
    yield from (f"up_blocks.{level}.upsamplers.0.conv" for level in _LEVELS[:3])
