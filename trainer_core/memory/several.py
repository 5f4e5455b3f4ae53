"""What one of several GPUs needs: its part of each batch, and by memory.fsdp of the weights. No torch."""

from dataclasses import dataclass

from trainer_core.config.schema import Config
from trainer_core.models.sizes import TOGETHER
from trainer_core.models.sniff import FamilyName


def of_one_gpu(config: Config, gpus: int) -> Config:
    """Return the configuration with the largest part of a batch that one of `gpus` takes."""
    size = -(-config.train.batch_size // gpus)
    return config.model_copy(update={"train": config.train.model_copy(update={"batch_size": size})})


@dataclass(frozen=True, slots=True)
class Brought:
    """What memory.fsdp brings together on each GPU besides its parts, in bytes.

    Attributes:
        passes: weights and gradients of the blocks under way, and of what belongs to none.
        whole: all trained weights, for a preview.
    """

    passes: int
    whole: int


def brought(config: Config, family: FamilyName, numbers: float, width: int) -> Brought:
    """Return it for so many trained numbers of so many bytes each.

    While a block computes, the next one's weights come; the block's gradients are added up from a copy in float32.
    """
    parts = ["unet", "text_encoder"] if config.text_encoder.train else ["unet"]
    roots = sum(TOGETHER[family][part][0] for part in parts)
    block = max(TOGETHER[family][part][1] for part in parts)
    return Brought(2 * roots * width + block * (2 * width + width + 4), round(numbers * width))


def notes(config: Config, gpus: int) -> list[str]:
    """Return what is to be known of a prediction for one of several GPUs."""
    found = []
    if gpus > 1 and config.text_encoder.train:
        found.append("each GPU reads the captions of the whole batch, which needs a little more")
    if gpus > 1 and config.memory.fsdp:
        found.append(f"what memory.fsdp leaves to each of {gpus} GPUs is computed, not measured")
    return found
