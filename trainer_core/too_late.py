"""Remarks on settings whose moment lies behind the end of the training, so that they change nothing. No torch."""

import math
from collections.abc import Iterator

from trainer_core.config.schema import Config
from trainer_core.data.listing import counted
from trainer_core.text_training import text_encoder_steps

_INTERVALS = ("save.every_n_steps", "save.every_n_epochs", "sample.every_n_steps", "sample.every_n_epochs")
_STOPS = ("stop_at_step", "stop_at_epoch", "stop_at_fraction")


def too_late(config: Config, steps_per_epoch: int, total: int) -> Iterator[str]:
    """Yield a remark on each setting that a training of `total` steps ends before; the end itself is no moment.

    Without pictures there are no steps, and nothing to say.
    """
    if not total:
        return
    length = f"the training has {counted(total, 'step')}"
    for name in _INTERVALS:
        table, setting = name.split(".")
        value = getattr(getattr(config, table), setting)
        each = steps_per_epoch if setting.endswith("epochs") else 1
        if value is not None and value * each >= total:
            yield f"{name} = {value} has no effect: {length}"
    for setting in _STOPS:
        value = getattr(config.text_encoder, setting)
        if value is not None and text_encoder_steps(config.text_encoder, steps_per_epoch, total) == total:
            yield f"text_encoder.{setting} = {value:g} has no effect: {length}"
    every = config.dataset.caption_dropout_every_n_epochs
    if every is not None and (every - 1) * steps_per_epoch >= total:
        yield f"dataset.caption_dropout_every_n_epochs = {every} has no effect: {length}"
    yield from _rises(config, total, length)


def _rises(config: Config, total: int, length: str) -> Iterator[str]:
    """What grows over a number of steps, and the training ends on the way up."""
    scheduler, warmup = config.scheduler, config.dataset.token_warmup_steps
    rise = scheduler.warmup_steps if scheduler.warmup_percent is None else 0
    if rise >= total:
        yield f"scheduler.warmup_steps = {rise}: the learning rate never gets to its peak, {length}"
    if warmup >= 1 and math.floor(warmup) >= total:
        yield f"dataset.token_warmup_steps = {warmup:g}: the last tags are never trained, {length}"
