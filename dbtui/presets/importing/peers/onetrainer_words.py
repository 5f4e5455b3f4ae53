"""Values of OneTrainer's settings that have other names here."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from dbtui.presets.importing.rules import number, whole

_OPTIMIZERS = {
    "ADAMW": "adamw",
    "ADAMW_8BIT": "adamw8bit",
    "PAGED_ADAMW_8BIT": "paged_adamw8bit",
    "LION": "lion",
    "LION_8BIT": "lion8bit",
    "ADAFACTOR": "adafactor",
    "PRODIGY": "prodigy",
    "SCHEDULE_FREE_ADAMW": "adamw_schedulefree",
}
_SCHEDULES = {
    "CONSTANT": "constant",
    "CONSTANT_WITH_WARMUP": "constant_with_warmup",
    "LINEAR": "linear",
    "COSINE": "cosine",
    "COSINE_WITH_HARD_RESTARTS": "cosine_with_restarts",
}
_PRECISIONS = {"FLOAT_32": "no", "TFLOAT_32": "no", "FLOAT_16": "fp16", "BFLOAT_16": "bf16"}
_WEIGHTS: dict[str, dict[str, Any]] = {
    "FLOAT_32": {},
    "TFLOAT_32": {},
    "FLOAT_16": {"memory.full_fp16": True},
    "BFLOAT_16": {"memory.full_bf16": True},
}
_FROZEN_IN_8_BITS = {"FLOAT_8": "fp8", "FLOAT_W8A8": "fp8", "INT_8": "int8", "INT_W8A8": "int8"}
FROZEN = "FROZEN"
"""Stands behind the type of weights that are frozen beside a LoRA."""
_SAVED = {"FLOAT_32": "float", "FLOAT_16": "fp16", "BFLOAT_16": "bf16"}
_FORMATS = {
    "SAFETENSORS": "safetensors",
    "LEGACY_SAFETENSORS": "safetensors",
    "ORIGINAL_SINGLE_FILE": "safetensors",
    "LEGACY_LORA": "safetensors",
    "KOHYA_LORA": "safetensors",
    "CKPT": "ckpt",
    "DIFFUSERS": "diffusers",
}
_MINUTES = {"SECOND": 1 / 60, "MINUTE": 1.0, "HOUR": 60.0}
TIMESTEPS = 1000


def _one_of(names: dict[str, Any], text: str, what: str) -> Any:
    if text.strip().upper() in names:
        return names[text.strip().upper()]
    raise ValueError(f"has no counterpart: {what}")


def optimizer(text: str) -> str:
    """Read `optimizer.optimizer`."""
    if text.upper().startswith("DADAPT"):
        raise ValueError('has no counterpart; "prodigy", which follows D-Adaptation, finds its rate by itself too')
    return str(_one_of(_OPTIMIZERS, text, f"optimizer.type is one of {', '.join(_OPTIMIZERS.values())}"))


def scheduler(text: str) -> str:
    """Read `learning_rate_scheduler`; its COSINE_WITH_RESTARTS rises as slowly as it falls, and none here does."""
    return str(_one_of(_SCHEDULES, text, f"scheduler.type is one of {', '.join(_SCHEDULES.values())}"))


def warmup(text: str) -> int | dict[str, float]:
    """Read `learning_rate_warmup_steps`, which is a share of all steps up to 1."""
    if 0 < number(text) <= 1:
        return {"scheduler.warmup_percent": number(text) * 100}
    return int(max(0.0, number(text)))


def precision(text: str) -> str:
    """Read `train_dtype`."""
    return str(_one_of(_PRECISIONS, text, "memory.mixed_precision is no, fp16 or bf16"))


def weights(text: str) -> dict[str, Any]:
    """Read the type of the trained weights, or of those beside a LoRA, in fewer than 16 bits."""
    name, _, is_frozen = text.upper().partition(" ")
    if is_frozen:
        return {"memory.base_dtype": _one_of(_FROZEN_IN_8_BITS, name, "memory.base_dtype is same, int8 or fp8")}
    found: dict[str, Any] = _one_of(_WEIGHTS, text, "trained weights are float32, fp16 or bf16")
    return found


def saved(text: str) -> str:
    """Read `output_dtype`."""
    return str(_one_of(_SAVED, text, f"save.precision is one of {', '.join(_SAVED.values())}"))


def file_format(text: str) -> str:
    """Read `output_model_format`."""
    return str(_one_of(_FORMATS, text, "save.format is safetensors, ckpt or diffusers"))


def family(text: str) -> str:
    """Read `model_type`, which was found to be one that is trained here."""
    return "sd1" if "_15" in text else "sd2"


def method(text: str) -> str:
    """Read `training_method`."""
    return "lora" if text.upper() == "LORA" else "full"


def place(text: str) -> dict[str, str]:
    """Read `output_model_destination`: a folder and a name."""
    path = PurePosixPath(text.replace("\\", "/"))
    folder = {} if str(path.parent) == "." else {"save.output_dir": str(path.parent)}
    return {**folder, "save.output_name": path.stem.replace(" ", "_")}


def size(text: str) -> list[int]:
    """Read `resolution`: one side, or widthxheight; several are separated by commas."""
    if "," in text:
        raise ValueError("are several sizes; here is one, and buckets keep the shapes of the pictures")
    sides = [whole(each) for each in text.lower().split("x")]
    if len(sides) > 2:
        raise ValueError("is not a side, nor widthxheight")
    return [sides[0], sides[-1]]


def share_of_noise(text: str) -> int:
    """Read `min_noising_strength` and `max_noising_strength`, which count in shares of the timesteps."""
    return int(number(text) * TIMESTEPS)


def every(steps: str, epochs: str) -> Callable[[str], dict[str, int]]:
    """Make the reader of "10 EPOCH" and the like, for the settings that count steps and epochs."""

    def read(text: str) -> dict[str, int]:
        count, _, unit = text.partition(" ")
        if unit == "NEVER" or number(count) <= 0:
            return {}
        if unit == "STEP":
            return {steps: max(1, round(number(count)))}
        if unit == "EPOCH":
            return {epochs: max(1, round(number(count)))}
        if unit == "ALWAYS":
            return {steps: 1}
        raise ValueError(f"is a time, and {steps.partition('.')[0]} counts steps or epochs")

    return read


def minutes(text: str) -> float:
    """Read how often the state is saved, by time."""
    count, _, unit = text.partition(" ")
    if unit == "NEVER" or number(count) <= 0:
        return 0.0
    if unit in _MINUTES:
        return number(count) * _MINUTES[unit]
    raise ValueError("counts steps or epochs; the state is saved by time, and beside each model saved")


def is_average(text: str) -> bool:
    """Read `ema`: where the average is kept, or OFF."""
    return text.upper() != "OFF"


def activations(text: str) -> bool | dict[str, Any]:
    """Read `gradient_checkpointing`, true or false, ON or OFF in some versions."""
    word = text.strip().upper()
    if word in ("FALSE", "OFF", "0"):
        return {}
    if word == "CPU_OFFLOADED":
        return {"memory.gradient_checkpointing": True, "memory.stream_activations": True}
    if word in ("TRUE", "ON", "1"):
        return True
    raise ValueError("is neither true nor false")


def strength(kind: str) -> Callable[[str], dict[str, Any]]:
    """Make the reader of the strength of one kind of loss: "alone", or "beside others"."""

    def read(text: str) -> dict[str, Any]:
        if text != "alone":
            raise ValueError("is one of several; the loss is one of loss.type here, and no sum")
        if kind in ("l1", "l2"):
            return {} if kind == "l2" else {"loss.type": kind}
        raise ValueError(f"has no counterpart: {kind}")

    return read


def loss_weight(text: str) -> dict[str, Any]:
    """Read `loss_weight_fn`; how strong min-SNR is stands in `loss_weight_strength`."""
    word = text.upper()
    if word in ("CONSTANT", "MIN_SNR_GAMMA"):
        return {}
    if word == "DEBIASED_ESTIMATION":
        return {"loss.debiased_estimation": True}
    raise ValueError("has no counterpart: weights are loss.min_snr_gamma or loss.debiased_estimation")


def attention(text: str) -> str:
    """Read `attention_mechanism`; all but xformers are what torch chooses among by itself."""
    word = text.upper()
    if word in ("SDP", "FLASH", "SPLIT", "FLASH_SPLIT", "DEFAULT"):
        return "sdpa"
    if word == "XFORMERS":
        return "xformers"
    raise ValueError("has no counterpart: memory.attention is sdpa, xformers or sliced")


def layers(text: str) -> dict[str, Any]:
    """Read `layer_filter` and presets of it that choose layers."""
    raise ValueError(
        "chooses layers, which nothing does here: a LoRA sits on the attention blocks, and by network.conv_rank on"
        " convolutions too"
    )


def adapters(text: str) -> dict[str, Any]:
    """Read the ranks of convolutions that all layers mean: "rank alpha"."""
    rank, _, alpha = text.partition(" ")
    if not rank.replace(".", "").isdigit():
        return layers(text)
    return {"network.conv_rank": whole(rank), **({"network.conv_alpha": number(alpha)} if alpha else {})}
