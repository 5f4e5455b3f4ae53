"""Which row of the table of predictions a configuration belongs to: what of it decides about memory. No torch."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from trainer_core.config.schema import Config
from trainer_core.models.sniff import FamilyName

Precision = Literal["float32", "mixed", "sixteen"]
"""Everything in float32; a 16-bit forward pass beside float32 weights; trained weights in 16 bits too."""

UNIT = 512 * 512
"""Pixels of a picture of 512 x 512: what the table's points are multiples of."""
DECIDING = (
    "dataset.cache_latents",
    "ema.enable",
    "memory.base_dtype",
    "memory.fsdp",
    "memory.full_bf16",
    "memory.full_fp16",
    "memory.fused_backward",
    "memory.gradient_checkpointing",
    "memory.mixed_precision",
    "memory.stream_state",
    "memory.stream_weights",
    "method.train",
    "network.conv_rank",
    "network.rank",
    "optimizer.type",
    "text_encoder.train",
    "train.batch_size",
    "train.gradient_accumulation",
)
"""Settings that the answer from the table follows; a test compares them with the schema."""
ONLY_REHEARSED = ("memory.attention", "memory.stream_activations")
"""Settings that need a rehearsal where they are not the default."""


@dataclass(frozen=True, slots=True)
class Row:
    """What decides how the memory of a pass grows with its pictures; both parts of the model are trained in it.

    Attributes:
        train: "full" or "lora".
        base_dtype: of a LoRA's frozen model: "same", or "8-bit".
    """

    family: FamilyName
    train: str
    precision: Precision
    checkpointing: bool
    base_dtype: str = "same"

    @property
    def key(self) -> str:
        """The row's name in the table."""
        kept = "checkpointed" if self.checkpointing else "kept"
        words = [self.family, self.train, self.precision, kept]
        return "-".join(words + [self.base_dtype] * (self.base_dtype != "same"))

    @property
    def trained(self) -> str:
        """What an optimizer's state depends on, for each number that is trained."""
        return f"{self.train}-{'16' if self.precision == 'sixteen' else '32'}"

    @property
    def base(self) -> Precision:
        """The precision of the model's own weights: beside a LoRA they have that of the forward pass."""
        return "sixteen" if self.train == "lora" and self.precision == "mixed" else self.precision


def row_of(config: Config, family: FamilyName) -> Row:
    """Return the row of a configuration."""
    memory, is_lora = config.memory, config.method.train == "lora"
    precision: Precision = "float32" if memory.mixed_precision == "no" else "mixed"
    if not is_lora and (memory.full_bf16 or memory.full_fp16):
        precision = "sixteen"
    return Row(
        family=family,
        train=config.method.train,
        precision=precision,
        checkpointing=memory.gradient_checkpointing,
        base_dtype="8-bit" if is_lora and memory.base_dtype != "same" else "same",
    )


def rows() -> list[Row]:
    """Return every row that the table has, the most wanted first.

    Without checkpointing, float32 has none: who has memory to spare for it needs no table.
    """
    families: tuple[FamilyName, ...] = ("sd1", "sd2")
    found: list[Row] = []
    for family in families:
        for train, precision in (("full", "mixed"), ("full", "sixteen"), ("lora", "mixed")):
            row = Row(family, train, cast(Precision, precision), True)
            found += [row, replace(row, checkpointing=False)]
        found.append(Row(family, "lora", "mixed", True, base_dtype="8-bit"))
    return found + [Row(family, train, "float32", True) for train in ("full", "lora") for family in families]
