"""[method] and [network]: what is learned from the captions, and whether into the model or into a LoRA."""

from typing import Literal

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import AS_LORA, Fraction

CaptionMethod = Literal["dreambooth", "finetune", "hybrid"]

FROM_NOTHING = UsedWhen("network.init_from", (None,))


class Method(Table):
    """How pictures and words are tied together, and what is trained."""

    captions: CaptionMethod = setting(
        "dreambooth",
        "dreambooth: the prompt of the folder, or a picture's own caption in its place; finetune: the captions"
        " alone, no class pictures; hybrid: the captions with the identifier put into them.",
        group="Method",
        affects="batch",
    )
    train: Literal["full", "lora"] = setting(
        "full",
        "full: every weight, the result is a whole model; lora: a small file to be used with the start model.",
        group="Method",
        affects="file",
    )


class Network(Table):
    """The LoRA (Hu et al. 2021): low-rank matrices beside the model's own, which stay as they are."""

    rank: int = setting(
        16,
        "Rank of the matrices: more learns more and makes a larger file.",
        group="LoRA",
        affects="file",
        used_when=FROM_NOTHING,
        ge=1,
        le=1024,
    )
    alpha: float | None = setting(
        None,
        "The change is scaled by alpha / rank; the rank if not given.",
        group="LoRA",
        affects="file",
        used_when=FROM_NOTHING,
        gt=0,
        le=4096,
    )
    conv_rank: int = setting(
        0,
        "Rank for the 3x3 convolutions too (LoCon); 0 leaves them out.",
        group="LoRA",
        affects="file",
        used_when=FROM_NOTHING,
        ge=0,
        le=1024,
    )
    conv_alpha: float | None = setting(
        None,
        "Alpha of the 3x3 convolutions; conv_rank if not given.",
        group="LoRA",
        affects="file",
        used_when=UsedWhen("network.conv_rank", unless=(0,)),
        gt=0,
        le=4096,
    )
    dropout: Fraction = setting(
        0.0,
        "Share of the numbers between an adapter's two matrices that are dropped at each step.",
        group="LoRA",
        affects="loss",
        used_when=AS_LORA,
    )
    rank_dropout: Fraction = setting(
        0.0,
        "Share of the ranks dropped at each step, for each picture.",
        group="LoRA",
        affects="loss",
        used_when=AS_LORA,
    )
    module_dropout: Fraction = setting(
        0.0, "Share of whole adapters left out at each step.", group="LoRA", affects="loss", used_when=AS_LORA
    )
    scale_weight_norms: float | None = setting(
        None,
        "Scale an adapter down after each step where the norm of its change exceeds this.",
        group="LoRA",
        affects="loss",
        used_when=AS_LORA,
        gt=0,
        le=1000,
    )
    loraplus_lr_ratio: float = setting(
        1.0,
        "The up matrices learn this many times faster (LoRA+, Hayou et al. 2024).",
        group="LoRA",
        affects="loss",
        used_when=AS_LORA,
        ge=1,
        le=1000,
    )
    init_from: str | None = setting(
        None,
        "A LoRA file (kohya's names) to go on from, needed for a resume too; ranks and alphas are the file's.",
        group="LoRA",
        affects="loss",
        binding=True,
        path="file",
        used_when=AS_LORA,
        min_length=1,
    )
