"""Remarks on what a plan leaves without effect: a weight, the end of a caption, a model's own size. No torch."""

from collections.abc import Iterator

from trainer_core.caption_remarks import caption_remarks
from trainer_core.config.learning_rules import goes_back_twice
from trainer_core.config.schema import Config, Prior
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item, Size
from trainer_core.data.listing import counted
from trainer_core.models.family import family_named
from trainer_core.models.sniff import ModelInfo
from trainer_core.models.text_form import PART, TextForm
from trainer_core.models.tokenizer_files import tokenizer_at_hand
from trainer_core.text import safe_text

_MOST = 225
_READ_MORE = f"; text_encoder.max_token_length reads up to {_MOST}"
_PRODIGY_RATE = 0.1
"""Below this share of the rate that it finds, Prodigy is as good as switched off."""
_LORA_RATE = 1e-5
"""Learning rates below this are usual for whole models; those of a LoRA lie a hundred times higher."""
_SMALL = 0.75
"""A training at less than this share of the pixels that the model was trained at is worth a remark."""


def remarks(config: Config, model: ModelInfo | None, items: tuple[Item, ...]) -> Iterator[str]:
    """Yield what has no effect in this plan, or less than it seems."""
    yield from _on_prior(config, items)
    yield from _on_prodigy(config)
    yield from _on_slow_lora(config)
    yield from _on_second_pass(config)
    form = TextForm(tokenizer_at_hand(config.model.tokenizer), config.text_encoder.max_token_length // PART)
    steps = CaptionSteps(config.dataset, items, 1)
    yield from _on_captions(steps, items, form)
    yield from caption_remarks(config, steps, items)
    if model:
        yield from _on_resolution(model, config.dataset.resolution)


def _on_prior(config: Config, items: tuple[Item, ...]) -> Iterator[str]:
    if config.prior.weight != Prior().weight and not any(item.is_class for item in items):
        yield f"prior.weight = {config.prior.weight:g} has no effect: there are no class pictures"


def _on_prodigy(config: Config) -> Iterator[str]:
    rate = config.optimizer.learning_rate
    if config.optimizer.type == "prodigy" and rate < _PRODIGY_RATE:
        yield (
            f"optimizer.learning_rate = {rate:g} multiplies the rate that Prodigy finds by itself, so little will "
            "be learned; 1 is usual"
        )


def _on_slow_lora(config: Config) -> Iterator[str]:
    rate = config.optimizer.learning_rate
    if config.method.train == "lora" and config.optimizer.type != "prodigy" and rate < _LORA_RATE:
        yield (
            f"optimizer.learning_rate = {rate:g} is one for whole models, and a LoRA learns next to nothing with "
            "it; 1e-4 is usual"
        )


def _on_second_pass(config: Config) -> Iterator[str]:
    if goes_back_twice(config) and config.optimizer.max_grad_norm > 0:
        fp16 = config.memory.mixed_precision == "fp16"
        yield (
            "memory.fused_backward takes a second backward pass at each step, since gradients are clipped"
            f" (optimizer.max_grad_norm = {config.optimizer.max_grad_norm:g})"
            + (" and fp16 skips steps" if fp16 else "; 0 would save it")
        )


def _on_captions(steps: CaptionSteps, items: tuple[Item, ...], form: TextForm) -> Iterator[str]:
    texts = [steps.longest(index) for index in range(len(items))]
    different = list(dict.fromkeys(texts))
    most = form.parts * PART
    too_long = {caption for caption, cut in zip(different, form.too_long(different), strict=True) if cut}
    cut = dict.fromkeys(item.picture.path for item, text in zip(items, texts, strict=True) if text in too_long)
    if cut:
        first = safe_text(next(iter(cut)).name) + (" and others" if len(cut) > 1 else "")
        yield (
            f"longer than the {most} tokens that are read, the rest is not learned: "
            f"{counted(len(cut), 'caption')} ({first})" + ("" if most == _MOST else _READ_MORE)
        )


def _on_resolution(model: ModelInfo, resolution: Size) -> Iterator[str]:
    """Only where the prediction type tells the size, which is easily overlooked."""
    if model.family is None or model.prediction is None:
        return
    family = family_named(model.family)
    side, (width, height) = family.resolution(model.prediction), resolution
    if side > family.resolution("epsilon") and width * height < _SMALL * side * side:
        yield (
            f"{safe_text(model.base)} predicts {model.prediction}, as models trained at {side} x {side} do, and "
            f"dataset.resolution is {width} x {height}: what it draws at {side} x {side} will get "
            f"worse. dataset.resolution = [{side}, {side}] keeps what the model can do"
        )
