"""[sample], [save], [log], [hub]: previews, models, logs and the upload."""

from typing import Annotated, Literal

from pydantic import Field

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import Name, Side

AS_FULL = UsedWhen("method.train", ("full",))
Precision = Literal["float", "fp16", "bf16"]
Project = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,127}$",
        description="1 to 128 letters, digits, spaces, dots, underscores or hyphens",
    ),
]
Repository = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}/[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_]+)*$",
        max_length=96,
        description="owner/name, as on the Hub",
    ),
]


class Prompt(Table):
    """One preview."""

    prompt: str = setting(
        ..., "What to draw.", group="Previews", affects="file", min_length=1, max_length=2000, personal="prompt"
    )
    negative_prompt: str = setting(
        "", "What not to draw.", group="Previews", affects="file", max_length=2000, personal="prompt"
    )
    seed: int = setting(
        1, "Seed of its noise.", group="Previews", affects="file", ge=0, le=2**31 - 1, personal="prompt"
    )
    steps: int = setting(
        30, "Denoising steps.", group="Previews", affects="file", unit="steps", ge=1, le=1000, personal="prompt"
    )
    guidance_scale: float = setting(
        7.5, "How strictly to follow the prompt.", group="Previews", affects="file", ge=1, le=50, personal="prompt"
    )
    width: Side | None = setting(
        None,
        "Width; dataset.resolution's if not given.",
        group="Previews",
        affects="file",
        unit="pixels",
        personal="prompt",
    )
    height: Side | None = setting(
        None,
        "Height; dataset.resolution's if not given.",
        group="Previews",
        affects="file",
        unit="pixels",
        personal="prompt",
    )


class Sample(Table):
    """Previews drawn during the run."""

    prompts: list[Prompt] = setting(
        [], "The previews to draw each time.", group="Previews", affects="file", max_length=64
    )
    prompts_file: str | None = setting(
        None,
        "A text file with one prompt a line, options behind it: --n --w --h --d --s --l (kohya's grammar).",
        group="Previews",
        affects="file",
        binding=True,
        path="file",
        min_length=1,
    )
    num_per_prompt: int = setting(
        1,
        "Pictures of each prompt, with seeds counting up from its own.",
        group="Previews",
        affects="file",
        unit="pictures",
        ge=1,
        le=64,
        personal="prompt",
    )
    every_n_steps: int | None = setting(
        None,
        "Draw them every n steps.",
        group="Previews",
        affects="file",
        unit="steps",
        ge=1,
        le=10**7,
        personal="prompt",
    )
    every_n_epochs: int | None = setting(
        None,
        "Draw them every n epochs.",
        group="Previews",
        affects="file",
        unit="epochs",
        ge=1,
        le=10**6,
        personal="prompt",
    )
    after_save: bool = setting(
        False,
        "Draw them after each model saved on the way.",
        group="Previews",
        affects="file",
        personal="prompt",
    )
    before_training: bool = setting(
        False, "Draw them before the first step too.", group="Previews", affects="file", personal="prompt"
    )


class Save(Table):
    """What is written, where and how often."""

    output_name: Name | None = setting(
        None,
        "Name of the model files; the last one is called `last` if not given.",
        group="Saving",
        affects="file",
        personal="own",
    )
    output_dir: str | None = setting(
        None,
        "Folder for the models; the run's own output/ if not given.",
        group="Saving",
        affects="file",
        binding=True,
        path="folder",
        min_length=1,
    )
    format: Literal["same", "safetensors", "ckpt", "diffusers", "diffusers_safetensors"] = setting(
        "same",
        "Format of the models: the start model's, one file, or a Diffusers folder (both names write safetensors).",
        group="Saving",
        affects="file",
    )
    precision: Precision | None = setting(
        None,
        "Precision of the weights written; if not given the start model's own, of a LoRA that of its training.",
        group="Saving",
        affects="file",
    )
    unet_precision: Precision | None = setting(
        None,
        "Another precision for the U-Net.",
        group="Saving",
        affects="file",
        used_when=AS_FULL,
    )
    text_encoder_precision: Precision | None = setting(
        None,
        "Another precision for the text encoder.",
        group="Saving",
        affects="file",
        used_when=AS_FULL,
    )
    vae_precision: Precision | None = setting(
        None,
        "Another precision for the VAE.",
        group="Saving",
        affects="file",
        used_when=AS_FULL,
    )
    tag_frequency: bool = setting(
        False,
        "Write how often each tag of the captions occurs into the model's metadata, where anyone can read it.",
        group="Saving",
        affects="file",
    )
    every_n_epochs: int | None = setting(
        None, "Save a model every n epochs.", group="Saving", affects="file", unit="epochs", ge=1, le=10**6
    )
    every_n_steps: int | None = setting(
        None, "Save a model every n steps.", group="Saving", affects="file", unit="steps", ge=1, le=10**7
    )
    state_every_minutes: float = setting(
        10.0,
        "Save the complete state every n minutes, which bounds what a killed run loses; 0 turns it off.",
        group="Saving",
        affects="event",
        unit="minutes",
        ge=0,
        le=10**5,
    )
    keep_last: int | None = setting(
        None,
        "Keep only the newest n models of those; all if not given.",
        group="Saving",
        affects="file",
        unit="models",
        ge=1,
        le=10**4,
    )


class Log(Table):
    """Logs for other programs; events.jsonl is written in any case."""

    tensorboard: bool = setting(
        False,
        "Write a TensorBoard log (needs the extra `tensorboard`).",
        group="Logs",
        affects="file",
        personal="own",
    )
    wandb: bool = setting(
        False,
        "Log to Weights & Biases (needs the extra `wandb`); the key comes from WANDB_API_KEY.",
        group="Logs",
        affects="file",
        personal="own",
    )
    wandb_project: Project | None = setting(
        None,
        "Project at Weights & Biases; `dbtui` if not given.",
        group="Logs",
        affects="file",
        used_when=UsedWhen("log.wandb", (True,)),
        personal="own",
    )
    dir: str | None = setting(
        None,
        "Folder for the logs, each in one of its own; logs/ in the run's folder if not given.",
        group="Logs",
        affects="file",
        binding=True,
        path="folder",
        min_length=1,
    )
    prefix: Name | None = setting(
        None, "Put before the name of a log.", group="Logs", affects="file", personal="own"
    )


class Hub(Table):
    """Upload of the result to the Hugging Face Hub; the token comes from HF_TOKEN only."""

    push: bool = setting(
        False, "Upload the final model when the training is done.", group="Saving", affects="file", personal="own"
    )
    repo_id: Repository | None = setting(
        None,
        "Repository to upload to, such as owner/name.",
        group="Saving",
        affects="file",
        binding=True,
        used_when=UsedWhen("hub.push", (True,)),
    )
    private: bool = setting(
        True,
        "Make a repository that does not exist yet private.",
        group="Saving",
        affects="file",
        used_when=UsedWhen("hub.push", (True,)),
        personal="own",
    )
