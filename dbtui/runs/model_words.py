"""What is known of a model, in a few words each."""

from trainer_core.disk import gigabytes
from trainer_core.models.family import family_named
from trainer_core.models.sniff import GUESS, ModelInfo

_TYPES = {"F64": "float64", "F32": "float32", "F16": "fp16", "BF16": "bf16"}
_PREDICTIONS = {"epsilon": "predicts noise (epsilon)", "v": "predicts v"}
_FORMATS = {"diffusers": "a Diffusers folder", "safetensors": ".safetensors", "ckpt": ".ckpt"}


def kind_words(model: ModelInfo) -> list[str]:
    """Return its family, and what it predicts with how that is known; empty where only its weights tell."""
    words = [family_named(model.family).title] if model.family else []
    if model.prediction:
        is_guess = model.prediction_from == GUESS
        known = "which is a guess" if is_guess else f"known from {model.prediction_from}"
        words.append(f"{_PREDICTIONS[model.prediction]}, {known}")
    return words


def form_words(model: ModelInfo) -> list[str]:
    """Return how it is stored: the format, the type of the U-Net's numbers and the size, where they are known."""
    words = ["a Hub id" if model.is_hub_id else _FORMATS[model.format]]
    if kind := model.dtypes.get("unet"):
        words.append(_TYPES.get(kind, kind))
    if model.size_bytes:
        words.append(gigabytes(model.size_bytes))
    return words
