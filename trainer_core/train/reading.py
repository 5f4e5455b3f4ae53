"""How a training reads its texts, by its settings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from trainer_core.config.schema import Config, TextEncoder
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.models.family import text_model
from trainer_core.models.text_form import PART
from trainer_core.text_training import text_encoder_steps
from trainer_core.train.conditioning import Conditioning
from trainer_core.train.precision import Precision
from trainer_core.train.trained import Group


def read_texts(model: Any, settings: TextEncoder, clip_skip: int | None) -> None:
    """Let `model` read texts as long as the settings say; UserError(CONFIG) if `clip_skip` is impossible."""
    model.family.skipped_layers(len(text_model(model.text_encoder).encoder.layers), clip_skip)
    parts = settings.max_token_length // PART
    form = replace(model.family.text_form, parts=parts, is_filled=not settings.no_token_padding or parts > 1)
    model.family = model.family.reading(form)


def conditioning_of(
    config: Config,
    caption: CaptionSteps,
    model: Any,
    groups: Sequence[Group],
    precision: Precision,
    device: torch.device,
    *,
    steps_per_epoch: int,
    total_steps: int,
) -> Conditioning:
    """Return what conditions the U-Net; the text encoder is trained where one of the `groups` is its own."""
    is_trained = any(group.component == "text_encoder" for group in groups)
    return Conditioning(
        model,
        None if caption.varies else caption.fixed_texts(),
        device,
        clip_skip=config.model.clip_skip,
        trained_steps=text_encoder_steps(config.text_encoder, steps_per_epoch, total_steps) if is_trained else 0,
        cache=config.dataset.cache_text is not False,
        autocast=precision.autocast(device),
    )
