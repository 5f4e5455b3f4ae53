"""Every setting, declared once.

The TOML reader, `docs/settings.md`, the JSON Schema for editors and the trainer all read these declarations;
no setting is named a second time anywhere. A setting with `binding=True` belongs to one machine and never to a
preset. Only settings that work are here.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from trainer_core.config.declare import Table, UsedWhen, setting

SCHEMA_VERSION: Final = 1

Side = Annotated[int, Field(ge=64, le=4096, multiple_of=64)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",
        description="1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter, digit or _",
    ),
]
Extension = Annotated[
    str, Field(pattern=r"^\.?[A-Za-z0-9_]{1,16}$", description="a file extension of 1 to 16 letters or digits")
]

WITH_BUCKETS = UsedWhen("dataset.bucket.enable", (True,))
WITH_LISTED_BUCKETS = UsedWhen("dataset.bucket.no_upscale", (False,))
WITH_WARMUP = UsedWhen(
    "scheduler.type", ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup")
)


class Measured(Table):
    """One measurement that a finished run left in its preset."""

    gpu: str = setting(..., "GPU as its driver names it.", group="About")
    peak_vram_gb: float = setting(..., "Peak memory reserved by the allocator.", group="About", unit="GB", gt=0)
    it_per_s: float = setting(..., "Optimizer steps per second.", group="About", unit="1/s", gt=0)
    version: str = setting(..., "Version of dbtui that measured.", group="About")


class Preset(Table):
    """What this preset is and who made it."""

    name: Name | None = setting(None, "Name by which `extends` and `dbtui run` find the preset.", group="About")
    title: str = setting("", "One line shown in lists.", group="About", inherited=False, max_length=120)
    description: str = setting(
        "", "What it is for and what it gives up.", group="About", inherited=False, max_length=2000
    )
    author: str = setting("", "Who made it.", group="About", max_length=120)
    license: str = setting("", "Licence of the preset file.", group="About", max_length=60)
    min_vram_gb: float | None = setting(
        None,
        "Smallest card that it is meant for.",
        group="About",
        unit="GB",
        inherited=False,
        gt=0,
        le=1024,
    )
    measured: list[Measured] = setting(
        [],
        "Measurements by finished runs; empty means unverified.",
        group="About",
        inherited=False,
        max_length=100,
    )


class Model(Table):
    """The model that training starts from."""

    base: str | None = setting(
        None,
        "Start model: a .safetensors or .ckpt file, a Diffusers folder, or a Hub id such as owner/name.",
        group="Model",
        binding=True,
        path="model",
        min_length=1,
    )
    revision: str | None = setting(None, "Branch, tag or commit of a Hub id.", group="Model", min_length=1)
    vae: str | None = setting(
        None,
        "Another VAE to train with and to put into the result: a file, a folder, or a Hub id.",
        group="Model",
        binding=True,
        path="model",
        min_length=1,
    )
    family: Literal["auto", "sd1", "sd2"] = setting(
        "auto", "Model family; auto reads it from the file.", group="Model"
    )
    prediction: Literal["auto", "epsilon", "v"] = setting(
        "auto", "What the U-Net predicts; auto reads it from the model.", group="Model"
    )
    clip_skip: int | None = setting(
        None,
        "Use the text encoder's output this many layers from its end (1 is the last); the family's if not given.",
        group="Model",
        unit="layers",
        ge=1,
        le=12,
    )


class Bucket(Table):
    """Aspect-ratio buckets: pictures keep their shape instead of being cropped to one size."""

    enable: bool = setting(False, "Sort pictures into buckets of similar aspect ratio.", group="Pictures")
    min_reso: int = setting(
        256,
        "Shortest side of a bucket.",
        group="Pictures",
        unit="pixels",
        ge=64,
        le=4096,
        used_when=WITH_LISTED_BUCKETS,
    )
    max_reso: int = setting(
        1024,
        "Longest side of a bucket.",
        group="Pictures",
        unit="pixels",
        ge=64,
        le=4096,
        used_when=WITH_LISTED_BUCKETS,
    )
    step: int = setting(
        64,
        "Bucket sides are multiples of this.",
        group="Pictures",
        unit="pixels",
        ge=64,
        le=1024,
        multiple_of=64,
        used_when=WITH_BUCKETS,
    )
    no_upscale: bool = setting(
        False,
        "Never enlarge a picture; its bucket follows its own size.",
        group="Pictures",
        used_when=WITH_BUCKETS,
    )


class Dataset(Table):
    """The training and regularization pictures."""

    train_dir: str | None = setting(
        None,
        'Folder that holds folders named "<repeats>_<identifier> <class>".',
        group="Pictures",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    reg_dir: str | None = setting(
        None,
        'Folder of regularization pictures that holds folders named "<repeats>_<class>".',
        group="Pictures",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    resolution: tuple[Side, Side] = setting(
        (512, 512),
        "Width and height of training, each a multiple of 64; with buckets, their area.",
        group="Pictures",
        unit="pixels",
        strict=False,
    )
    caption_extension: Extension | None = setting(
        None,
        "Extension of the caption files; if not given, .caption is tried first, then .txt.",
        group="Pictures",
    )
    cache_latents: Literal["off", "ram", "disk"] = setting(
        "ram",
        "Encode every picture once and keep the result in memory or on disk (shared by runs).",
        group="Pictures",
        changeable=True,
    )
    on_bad_image: Literal["error", "skip"] = setting(
        "error",
        "What to do with pictures that cannot be read.",
        group="Pictures",
        changeable=True,
    )
    bucket: Bucket = Field(default_factory=Bucket)


class Concept(Table):
    """One thing to learn, from folders with any name."""

    identifier: str | None = setting(
        None, "The rare word that stands for the subject.", group="Concepts", min_length=1
    )
    class_: str | None = setting(
        None, "The kind of thing that it is, such as dog.", group="Concepts", min_length=1, alias="class"
    )
    instance_dir: str | None = setting(
        None,
        "Folder of its pictures.",
        group="Concepts",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    class_dir: str | None = setting(
        None,
        "Folder of regularization pictures of its class.",
        group="Concepts",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    repeats: int = setting(
        1, "How often each picture counts in an epoch.", group="Concepts", unit="times", ge=1, le=10000
    )
    instance_prompt: str | None = setting(
        None,
        'Prompt trained with its pictures; "<identifier> <class>" if not given.',
        group="Concepts",
        min_length=1,
    )
    class_prompt: str | None = setting(
        None,
        "Prompt trained with its class pictures; the class if not given.",
        group="Concepts",
        min_length=1,
    )


class Prior(Table):
    """Prior preservation: what keeps the class from becoming the subject."""

    weight: float = setting(
        1.0, "Weight of the regularization pictures in the loss.", group="Learning", ge=0, le=10
    )


class TextEncoder(Table):
    """The text encoder's share in the training."""

    train: bool = setting(True, "Train the text encoder along with the U-Net.", group="Learning")


class Optimizer(Table):
    """How weights are updated."""

    type: Literal["adamw", "adamw8bit"] = setting(
        "adamw8bit", "AdamW, or AdamW with 8-bit state (bitsandbytes).", group="Learning"
    )
    learning_rate: float = setting(1e-6, "Peak learning rate.", group="Learning", gt=0, le=1)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = setting(
        (0.9, 0.999), "Adam's decay rates of the two moments.", group="Learning", strict=False
    )
    eps: float = setting(1e-8, "Adam's epsilon.", group="Learning", gt=0, le=1e-2)
    weight_decay: float = setting(0.01, "Decoupled weight decay.", group="Learning", ge=0, le=1)
    max_grad_norm: float = setting(
        1.0,
        "Gradients are clipped to this global norm; 0 turns clipping off.",
        group="Learning",
        ge=0,
        le=1000,
    )


class Scheduler(Table):
    """The learning rate over time."""

    type: Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"] = (
        setting("constant", "Shape of the learning rate.", group="Learning")
    )
    warmup_steps: int = setting(
        0,
        "Steps over which the learning rate rises from zero.",
        group="Learning",
        unit="steps",
        ge=0,
        le=10**7,
        used_when=WITH_WARMUP,
    )
    cycles: int = setting(
        1,
        "Number of restarts.",
        group="Learning",
        ge=1,
        le=1000,
        used_when=UsedWhen("scheduler.type", ("cosine_with_restarts",)),
    )
    power: float = setting(
        1.0,
        "Exponent of the polynomial.",
        group="Learning",
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
        unit="steps",
        ge=1,
        le=10**7,
        changeable=True,
    )
    epochs: int | None = setting(
        None,
        "Passes over the data, instead of max_steps.",
        group="Learning",
        unit="passes",
        instead_of="train.max_steps",
        ge=1,
        le=10**6,
        changeable=True,
    )
    batch_size: int = setting(1, "Pictures in one forward pass.", group="Learning", unit="pictures", ge=1, le=1024)
    gradient_accumulation: int = setting(
        1, "Forward passes that make one optimizer step.", group="Learning", unit="passes", ge=1, le=1024
    )
    seed: int = setting(42, "Seed of everything random.", group="Learning", ge=0, le=2**31 - 1)
    workers: int = setting(
        4,
        "Threads that read and decode pictures.",
        group="Memory",
        unit="threads",
        ge=1,
        le=64,
        changeable=True,
    )
    cpu_threads: int | None = setting(
        None,
        "CPU threads of torch; all cores if not given.",
        group="Memory",
        unit="threads",
        ge=1,
        le=1024,
        changeable=True,
    )


class Memory(Table):
    """Precision and what is traded for memory."""

    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "no", "Precision of the forward pass while the weights stay float32.", group="Memory"
    )
    full_fp16: bool = setting(
        False,
        "Weights and gradients in fp16 too, written with stochastic rounding: least memory, coarser learning.",
        group="Memory",
        used_when=UsedWhen("memory.mixed_precision", ("fp16",)),
    )
    full_bf16: bool = setting(
        False,
        "Weights and gradients in bf16 too, written with stochastic rounding.",
        group="Memory",
        used_when=UsedWhen("memory.mixed_precision", ("bf16",)),
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute activations twice instead of keeping them: less memory, slower.",
        group="Memory",
        changeable=True,
    )
    attention: Literal["sdpa", "xformers", "sliced"] = setting(
        "sdpa",
        "Attention kernel: torch's own, xformers, or slices (least memory, slow).",
        group="Memory",
        changeable=True,
    )


class Prompt(Table):
    """One preview."""

    prompt: str = setting(..., "What to draw.", group="Previews", min_length=1, max_length=2000)
    negative_prompt: str = setting("", "What not to draw.", group="Previews", max_length=2000)
    seed: int = setting(1, "Seed of its noise.", group="Previews", ge=0, le=2**31 - 1)
    steps: int = setting(30, "Denoising steps.", group="Previews", unit="steps", ge=1, le=1000)
    guidance_scale: float = setting(7.5, "How strictly to follow the prompt.", group="Previews", ge=1, le=50)
    width: Side | None = setting(
        None, "Width; dataset.resolution's if not given.", group="Previews", unit="pixels"
    )
    height: Side | None = setting(
        None, "Height; dataset.resolution's if not given.", group="Previews", unit="pixels"
    )


class Sample(Table):
    """Previews drawn during the run."""

    prompts: list[Prompt] = setting([], "The previews to draw each time.", group="Previews", max_length=64)
    every_n_steps: int | None = setting(
        None, "Draw them every n steps.", group="Previews", unit="steps", ge=1, le=10**7
    )
    every_n_epochs: int | None = setting(
        None, "Draw them every n epochs.", group="Previews", unit="epochs", ge=1, le=10**6
    )
    before_training: bool = setting(False, "Draw them before the first step too.", group="Previews")


class Save(Table):
    """What is written, where and how often."""

    output_name: Name | None = setting(
        None, "Name of the model files; the last one is called `last` if not given.", group="Saving"
    )
    output_dir: str | None = setting(
        None,
        "Folder for the models; the run's own output/ if not given.",
        group="Saving",
        binding=True,
        path="folder",
        min_length=1,
    )
    format: Literal["same", "safetensors", "ckpt", "diffusers", "diffusers_safetensors"] = setting(
        "same",
        "Format of the models: the start model's, one file, or a Diffusers folder (both names write safetensors).",
        group="Saving",
    )
    precision: Literal["float", "fp16", "bf16"] | None = setting(
        None, "Precision of the weights written; the start model's own if not given.", group="Saving"
    )
    every_n_epochs: int | None = setting(
        None, "Save a model every n epochs.", group="Saving", unit="epochs", ge=1, le=10**6
    )
    every_n_steps: int | None = setting(
        None, "Save a model every n steps.", group="Saving", unit="steps", ge=1, le=10**7
    )
    keep_last: int | None = setting(
        None,
        "Keep only the newest n models of those; all if not given.",
        group="Saving",
        unit="models",
        ge=1,
        le=10**4,
    )


class Config(Table):
    """A whole file: a preset, or a run file, which is a preset plus the bindings of one machine."""

    schema_version: Literal[1] = Field(SCHEMA_VERSION, alias="schema", description="Version of this schema.")
    preset: Preset = Field(default_factory=Preset)
    model: Model = Field(default_factory=Model)
    dataset: Dataset = Field(default_factory=Dataset)
    concept: list[Concept] = Field(default_factory=list, max_length=64)
    prior: Prior = Field(default_factory=Prior)
    text_encoder: TextEncoder = Field(default_factory=TextEncoder)
    optimizer: Optimizer = Field(default_factory=Optimizer)
    scheduler: Scheduler = Field(default_factory=Scheduler)
    train: Train = Field(default_factory=Train)
    memory: Memory = Field(default_factory=Memory)
    sample: Sample = Field(default_factory=Sample)
    save: Save = Field(default_factory=Save)
