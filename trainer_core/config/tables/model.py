"""[model]: what the training starts from."""

from typing import Literal

from trainer_core.config.declare import Table, setting


class Model(Table):
    """The model that training starts from."""

    base: str | None = setting(
        None,
        "Start model: a .safetensors or .ckpt file, a Diffusers folder, or a Hub id such as owner/name.",
        group="Model",
        affects="loss",
        binding=True,
        path="model",
        min_length=1,
    )
    revision: str | None = setting(
        None, "Branch, tag or commit of a Hub id.", group="Model", affects="loss", min_length=1, personal="own"
    )
    vae: str | None = setting(
        None,
        "Another VAE to train with and to put into the result: a file, a folder, or a Hub id.",
        group="Model",
        affects="loss",
        binding=True,
        path="model",
        min_length=1,
    )
    tokenizer: str | None = setting(
        None,
        "Another CLIP tokenizer: a folder with vocab.json and merges.txt, or the model that has it.",
        group="Model",
        affects="batch",
        binding=True,
        path="model",
        min_length=1,
    )
    family: Literal["auto", "sd1", "sd2"] = setting(
        "auto",
        "Model family; auto reads it from the file.",
        group="Model",
        affects="event",
    )
    prediction: Literal["auto", "epsilon", "v"] = setting(
        "auto", "What the U-Net predicts; auto reads it from the model.", group="Model", affects="loss"
    )
    clip_skip: int | None = setting(
        None,
        "Use the text encoder's output this many layers from its end (1 is the last); the family's if not given.",
        group="Model",
        affects="loss",
        unit="layers",
        ge=1,
        le=12,
    )
