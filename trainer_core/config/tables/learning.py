"""[text_encoder], [optimizer], [scheduler], [train]: what learns, how fast, for how long."""

from typing import Annotated, Literal

from pydantic import Field

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import WITH_TEXT_ENCODER

WITH_WARMUP = UsedWhen(
    "scheduler.type", ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup")
)
WITH_BETAS = UsedWhen(
    "optimizer.type",
    (
        "adamw",
        "adamw8bit",
        "paged_adamw",
        "paged_adamw8bit",
        "lion",
        "lion8bit",
        "prodigy",
        "adamw_schedulefree",
    ),
)
WITH_EPS = UsedWhen("optimizer.type", tuple(name for name in WITH_BETAS.values if not name.startswith("lion")))


class TextEncoder(Table):
    """The text encoder's share in the training."""

    train: bool = setting(True, "Train the text encoder along with the U-Net.", group="Learning", affects="loss")
    learning_rate: float | None = setting(
        None,
        "Its own peak learning rate; optimizer.learning_rate if not given.",
        group="Learning",
        affects="loss",
        used_when=WITH_TEXT_ENCODER,
        gt=0,
        le=10,
    )
    stop_at_step: int | None = setting(
        None,
        "Train it for this many steps only, then the U-Net alone.",
        group="Learning",
        affects="loss",
        unit="steps",
        used_when=WITH_TEXT_ENCODER,
        ge=1,
        le=10**7,
    )
    stop_at_epoch: int | None = setting(
        None,
        "Train it for this many epochs only.",
        group="Learning",
        affects="loss",
        unit="epochs",
        instead_of="text_encoder.stop_at_step",
        used_when=WITH_TEXT_ENCODER,
        ge=1,
        le=10**6,
    )
    stop_at_fraction: float | None = setting(
        None,
        "Train it for this share of all steps only.",
        group="Learning",
        affects="loss",
        instead_of="text_encoder.stop_at_step",
        used_when=WITH_TEXT_ENCODER,
        gt=0,
        lt=1,
    )
    max_token_length: Literal[75, 150, 225] = setting(
        75,
        "Tokens of a caption that are read; more than 75 are encoded in parts of 75.",
        group="Captions",
        affects="batch",
        unit="tokens",
    )
    no_token_padding: bool = setting(
        False,
        "Do not fill captions up to 77 tokens: the U-Net sees only as many as the longest of the batch has.",
        group="Captions",
        affects="batch",
    )


class Optimizer(Table):
    """How weights are updated."""

    type: Literal[
        "adamw",
        "adamw8bit",
        "paged_adamw",
        "paged_adamw8bit",
        "lion",
        "lion8bit",
        "adafactor",
        "prodigy",
        "adamw_schedulefree",
    ] = setting(
        "adamw8bit",
        "AdamW or Lion, with 8-bit state or paged to main memory (bitsandbytes; paging needs a CUDA GPU);"
        " Adafactor; Prodigy, which finds the learning rate itself (set it to 1); AdamW without a"
        " schedule (schedule-free).",
        group="Learning",
        affects="loss",
    )
    learning_rate: float = setting(1e-6, "Peak learning rate.", group="Learning", affects="loss", gt=0, le=10)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = setting(
        (0.9, 0.999),
        "Decay rates of the two moments.",
        group="Learning",
        affects="loss",
        used_when=WITH_BETAS,
        strict=False,
    )
    eps: float = setting(
        1e-8, "Adam's epsilon.", group="Learning", affects="loss", used_when=WITH_EPS, gt=0, le=1e-2
    )
    weight_decay: float = setting(0.01, "Decoupled weight decay.", group="Learning", affects="loss", ge=0, le=1)
    max_grad_norm: float = setting(
        1.0,
        "Gradients are clipped to this global norm; 0 turns clipping off.",
        group="Learning",
        affects="loss",
        ge=0,
        le=1000,
    )
    scale_lr: bool = setting(
        False,
        "Multiply the learning rates by train.batch_size x train.gradient_accumulation.",
        group="Learning",
        affects="loss",
    )


class Scheduler(Table):
    """The learning rate over time."""

    type: Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"] = (
        setting("constant", "Shape of the learning rate.", group="Learning", affects="loss")
    )
    warmup_steps: int = setting(
        0,
        "Steps over which the learning rate rises from zero.",
        group="Learning",
        affects="loss",
        unit="steps",
        ge=0,
        le=10**7,
        used_when=WITH_WARMUP,
    )
    warmup_percent: float | None = setting(
        None,
        "The same as a share of all steps.",
        group="Learning",
        affects="loss",
        unit="percent",
        instead_of="scheduler.warmup_steps",
        used_when=WITH_WARMUP,
        ge=0,
        le=100,
    )
    cycles: int = setting(
        1,
        "Number of restarts.",
        group="Learning",
        affects="loss",
        ge=1,
        le=1000,
        used_when=UsedWhen("scheduler.type", ("cosine_with_restarts",)),
    )
    power: float = setting(
        1.0,
        "Exponent of the polynomial.",
        group="Learning",
        affects="loss",
        gt=0,
        le=10,
        used_when=UsedWhen("scheduler.type", ("polynomial",)),
    )


class Train(Table):
    """How long and in what portions."""

    max_steps: int | None = setting(
        None,
        "Optimizer steps in all; 1600 if neither this nor epochs is given.",
        group="Learning",
        affects="loss",
        unit="steps",
        ge=1,
        le=10**7,
        changeable=True,
    )
    epochs: int | None = setting(
        None,
        "Passes over the data, instead of max_steps.",
        group="Learning",
        affects="loss",
        unit="passes",
        instead_of="train.max_steps",
        ge=1,
        le=10**6,
        changeable=True,
    )
    batch_size: int = setting(
        1,
        "Pictures in one forward pass, over all GPUs together.",
        group="Learning",
        affects="loss",
        unit="pictures",
        ge=1,
        le=1024,
    )
    gradient_accumulation: int = setting(
        1,
        "Forward passes that make one optimizer step.",
        group="Learning",
        affects="loss",
        unit="passes",
        ge=1,
        le=1024,
    )
    seed: int = setting(42, "Seed of everything random.", group="Learning", affects="loss", ge=0, le=2**31 - 1)
    workers: int = setting(
        4,
        "Threads that read and decode pictures.",
        group="Memory",
        affects="kernel",
        unit="threads",
        ge=1,
        le=64,
        changeable=True,
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto",
        "Compile the U-Net's repeated blocks (torch.compile): each step is faster, the first a minute or more"
        " longer. auto does on a GPU where the training has 2000 steps or more, and no LoRA with dropout.",
        group="Memory",
        affects="kernel",
        changeable=True,
    )
    cpu_threads: int | None = setting(
        None,
        "CPU threads of torch; all cores if not given.",
        group="Memory",
        affects="kernel",
        unit="threads",
        ge=1,
        le=1024,
        changeable=True,
    )
