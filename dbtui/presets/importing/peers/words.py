"""Values of other trainers' options that have other names here."""

from dbtui.presets.importing.peers.reasons import CODE
from dbtui.presets.importing.rules import number, whole

_OPTIMIZERS = {
    "adamw": "adamw",
    "adamw8bit": "adamw8bit",
    "pagedadamw": "paged_adamw",
    "pagedadamw32bit": "paged_adamw",
    "pagedadamw8bit": "paged_adamw8bit",
    "lion": "lion",
    "lion8bit": "lion8bit",
    "adafactor": "adafactor",
    "prodigy": "prodigy",
    "adamwschedulefree": "adamw_schedulefree",
}
_SCHEDULES = ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup")


def optimizer(text: str) -> str:
    """Read `--optimizer_type`."""
    word = text.strip().lower()
    if word in _OPTIMIZERS:
        return _OPTIMIZERS[word]
    if word.startswith("dadapt"):
        raise ValueError('has no counterpart; "prodigy", which follows D-Adaptation, finds its rate by itself too')
    if "." in word:
        raise ValueError(f"is the name of a class, and {CODE}")
    raise ValueError(
        f"has no counterpart: optimizer.type is one of {', '.join(dict.fromkeys(_OPTIMIZERS.values()))}"
    )


def scheduler(text: str) -> str:
    """Read `--lr_scheduler`."""
    word = text.strip().lower()
    if word == "cosine_with_hard_restarts":
        return "cosine_with_restarts"
    if word in _SCHEDULES:
        return word
    raise ValueError(f"has no counterpart: scheduler.type is one of {', '.join(_SCHEDULES)}")


def warmup(text: str) -> int | dict[str, float]:
    """Read `--lr_warmup_steps`, which is a share of all steps below 1."""
    if 0 < number(text) < 1:
        return {"scheduler.warmup_percent": number(text) * 100}
    return whole(text)


def stop(text: str) -> int | dict[str, bool]:
    """Read `--stop_text_encoder_training`: -1 means that the text encoder never learns."""
    return {"text_encoder.train": False} if whole(text) < 0 else whole(text)


def own_rate(text: str) -> float | dict[str, bool]:
    """Read the text encoder's learning rate: at 0 it does not learn."""
    return {"text_encoder.train": False} if number(text) == 0 else number(text)


def tracker(text: str) -> bool:
    """Read `--log_with`: whether Weights & Biases is among them."""
    return text.strip().lower() in ("wandb", "all")


def tensorboard(text: str) -> dict[str, str | bool]:
    """Read `--logging_dir`, which alone means a TensorBoard log there."""
    return {"log.dir": text, "log.tensorboard": True}


def preview(text: str) -> dict[str, str | bool]:
    """Read the prompt of a preview, which is drawn with each model saved there."""
    return {"sample.prompts.prompt": text, "sample.after_save": True}
