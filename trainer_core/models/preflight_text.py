"""What can be said of the text encoder and its tokenizer before the model is loaded; no torch."""

from dataclasses import dataclass
from typing import Any

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import UserError
from trainer_core.models.family import Family, family_named
from trainer_core.models.header import read_header
from trainer_core.models.keymap_clip import TOKEN_EMBEDDING
from trainer_core.models.layout import read_folder
from trainer_core.models.sniff import ModelInfo, is_hub_id
from trainer_core.models.tokenizer_files import check_vocabulary, find_tokenizer


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the text encoder: its layers and the tokens it knows, 0 where only loading will tell."""

    layers: int = 0
    tokens: int = 0


def text_problems(settings: ModelSettings, info: ModelInfo | None) -> list[UserError]:
    """Return what is wrong with `model.clip_skip` and `model.tokenizer` for the start model."""
    errors: list[UserError] = []
    known, family = _Known(), None
    if info and info.family:
        family = family_named(info.family)
        known = _of_folder(info) if info.format == "diffusers" else _of_file(info, family)
    try:
        if family and known.layers:
            family.skipped_layers(known.layers, settings.clip_skip)
    except UserError as error:
        errors.append(error)
    try:
        if settings.tokenizer is not None and not is_hub_id(settings.tokenizer):
            tokenizer = find_tokenizer(settings.tokenizer, lambda text: None)
            if known.tokens:
                check_vocabulary(tokenizer, known.tokens, settings.tokenizer)
    except UserError as error:
        errors.append(error)
    return errors


def _of_file(info: ModelInfo, family: Family) -> _Known:
    if info.format != "safetensors" or info.path is None:
        return _Known()
    tensors = read_header(info.path).tensors
    embedding = tensors.get(family.text_piece(TOKEN_EMBEDDING).name)
    return _Known(max(0, family.text_layers(tensors)), embedding.shape[0] if embedding else 0)


def _of_folder(info: ModelInfo) -> _Known:
    if info.path is None:
        return _Known()
    config = read_folder(info.path).configs["text_encoder"]
    return _Known(_number(config.get("num_hidden_layers")), _number(config.get("vocab_size")))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
