"""[dataset] and [dataset.bucket]: the pictures, what is done to them, and (from captions.py) their captions."""

from typing import Literal

from pydantic import Field

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.captions import CaptionSettings
from trainer_core.config.tables.types import WITH_BUCKETS, WITH_PROMPTS, Side

WITH_LISTED_BUCKETS = UsedWhen("dataset.bucket.no_upscale", (False,))
WITH_KOHYA_BUCKETS = UsedWhen("dataset.bucket.shapes", ("kohya",))


class Bucket(Table):
    """Aspect-ratio buckets: pictures keep their shape instead of being cropped to one size."""

    enable: bool = setting(
        False, "Sort pictures into buckets of similar aspect ratio.", group="Pictures", affects="batch"
    )
    shapes: Literal["kohya", "novelai"] = setting(
        "kohya",
        "Which sizes there are: all that fit the resolution's area, or NovelAI's 19 for 512 x 768 alone.",
        group="Pictures",
        affects="batch",
        used_when=WITH_LISTED_BUCKETS,
    )
    min_reso: int = setting(
        256,
        "Shortest side of a bucket.",
        group="Pictures",
        affects="batch",
        unit="pixels",
        ge=64,
        le=4096,
        used_when=WITH_KOHYA_BUCKETS,
    )
    max_reso: int = setting(
        1024,
        "Longest side of a bucket.",
        group="Pictures",
        affects="batch",
        unit="pixels",
        ge=64,
        le=4096,
        used_when=WITH_KOHYA_BUCKETS,
    )
    step: int = setting(
        64,
        "Bucket sides are multiples of this.",
        group="Pictures",
        affects="batch",
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
        affects="batch",
        used_when=WITH_BUCKETS,
    )


class Dataset(CaptionSettings):
    """The training and regularization pictures."""

    train_dir: str | None = setting(
        None,
        'Folder that holds folders named "<repeats>_<identifier> <class>".',
        group="Pictures",
        affects="batch",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    reg_dir: str | None = setting(
        None,
        'Folder of regularization pictures that holds folders named "<repeats>_<class>".',
        group="Pictures",
        affects="batch",
        used_when=WITH_PROMPTS,
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    resolution: tuple[Side, Side] = setting(
        (512, 512),
        "Width and height of training, each a multiple of 64; with buckets, their area.",
        group="Pictures",
        affects="batch",
        unit="pixels",
        strict=False,
    )
    random_crop: bool = setting(
        False,
        "Crop at a random place at each step instead of the centre; needs cache_latents off.",
        group="Pictures",
        affects="batch",
    )
    flip_aug: bool = setting(False, "Mirror half of the samples left to right.", group="Pictures", affects="batch")
    color_aug: float = setting(
        0.0,
        "Vary hue by up to this share of a half turn, saturation and gamma by up to this share; 0.1 is moderate."
        " Needs cache_latents off.",
        group="Pictures",
        affects="batch",
        ge=0,
        le=1,
    )
    brightness_aug: float = setting(
        0.0,
        "Vary the brightness by up to this share; needs cache_latents off.",
        group="Pictures",
        affects="batch",
        ge=0,
        le=1,
    )
    rotate_aug: float = setting(
        0.0,
        "Turn by up to this angle either way, enlarged so that no corner stays empty; needs cache_latents off.",
        group="Pictures",
        affects="batch",
        unit="degrees",
        ge=0,
        le=45,
    )
    cache_latents: Literal["off", "ram", "disk"] = setting(
        "ram",
        "Encode every picture once and keep the result in memory or on disk (shared by runs).",
        group="Pictures",
        affects="memory",
        changeable=True,
    )
    held_out: float = setting(
        0.0,
        "Share of the training pictures that is not trained: the validation loss is measured on them. It is one at"
        " least, and of each folder one stays in the training.",
        group="Pictures",
        affects="batch",
        ge=0,
        le=0.5,
    )
    on_bad_image: Literal["error", "skip"] = setting(
        "error",
        "What to do with pictures that cannot be read.",
        group="Pictures",
        affects="batch",
        changeable=True,
    )
    bucket: Bucket = Field(default_factory=Bucket)
