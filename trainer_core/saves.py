"""What a run will write on its way and at its end: how many models, which names, how many previews. No torch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import combinations, islice
from typing import TYPE_CHECKING

from trainer_core.config.schema import Config, Save
from trainer_core.config.tables.output import Precision
from trainer_core.data.order import TrainingOrder
from trainer_core.models.sniff import ModelInfo
from trainer_core.train.naming import epoch_name, final_name, step_name

if TYPE_CHECKING:
    from trainer_core.models.family import Component

SHOWN = 3
ENDINGS = (".safetensors", ".ckpt", ".yaml", "")
"""What a saved model's name may end with; a Diffusers folder has no ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saves:
    """What a run writes.

    Attributes:
        on_the_way: models saved before the end.
        at_once: models that exist together at most, the finished one or one being written among them.
        moments: steps at which models are saved; a checkpoint is written at each.
        states: steps at which a checkpoint may be written; any, where one is due as minutes pass.
        draws: how often all previews are drawn.
        pictures: how many previews are drawn each time.
        first: names of the first models on the way, in order.
        final: name of the finished model.
    """

    on_the_way: int
    at_once: int
    moments: int
    states: int
    draws: int
    pictures: int
    first: tuple[str, ...]
    final: str


def planned_saves(config: Config, model: ModelInfo | None, order: TrainingOrder, total_steps: int) -> Saves:
    """Return what `config` asks for; names have their ending where the format is known."""
    save, sample, last = config.save, config.sample, max(0, total_steps - 1)  # the end itself is not "on the way"
    epoch = max(1, order.steps_per_epoch)
    save_steps = _intervals(save.every_n_steps, save.every_n_epochs, epoch)
    sample_steps = _intervals(sample.every_n_steps, sample.every_n_epochs, epoch)
    draw_steps = sample_steps + (save_steps if sample.after_save else [])
    count = sum(last // interval for interval in save_steps)
    kept = count if save.keep_last is None else min(count, save.keep_last)
    ending = ".safetensors" if config.method.train == "lora" else _ending(save, model)
    return Saves(
        on_the_way=count,
        at_once=kept + 1,
        moments=_moments(save_steps, last),
        states=last if save.state_every_minutes else _moments(save_steps, last),
        draws=_moments(draw_steps, last) + sample.before_training + 1 if sample.prompts else 0,
        pictures=len(sample.prompts) * sample.num_per_prompt,
        first=tuple(name + ending for name in islice(_names(save, epoch, last), SHOWN)),
        final=final_name(save.output_name) + ending,
    )


def own_precisions(save: Save) -> "dict[Component, Precision]":
    """Return the components that are written in a precision of their own, with that."""
    chosen: dict[Component, Precision | None] = {
        "unet": save.unet_precision,
        "text_encoder": save.text_encoder_precision,
        "vae": save.vae_precision,
    }
    return {component: precision for component, precision in chosen.items() if precision}


def names_until(save: Save, steps_per_epoch: int, step: int) -> list[str]:
    """Return the names, without their ending, of the models saved on the way in the first `step` steps."""
    return list(_names(save, max(1, steps_per_epoch), step))


def _intervals(every_n_steps: int | None, every_n_epochs: int | None, epoch: int) -> list[int]:
    return [interval for interval in (every_n_steps, (every_n_epochs or 0) * epoch) if interval]


def _moments(intervals: list[int], last: int) -> int:
    """Count the steps up to `last` at which something is due; a step that several intervals meet counts once.

    By inclusion and exclusion over the sets of intervals, of which there are at most four.
    """
    return sum(
        (-1) ** (size + 1) * (last // math.lcm(*some))
        for size in range(1, len(intervals) + 1)
        for some in combinations(intervals, size)
    )


def _names(save: Save, epoch: int, last: int) -> Iterator[str]:
    """Yield the names in the order of saving; at one step, that of the epoch comes first."""
    each, by_step = save.every_n_epochs or last + 1, save.every_n_steps or last + 1
    epochs = ((n * epoch, 0, epoch_name(save.output_name, n)) for n in range(each, last // epoch + 1, each))
    steps = ((n, 1, step_name(save.output_name, n)) for n in range(by_step, last + 1, by_step))
    return (name for _, _, name in merge(epochs, steps))


def _ending(save: Save, model: ModelInfo | None) -> str:
    form = save.format if save.format != "same" else model.format if model else None
    if form is None:
        return ""
    return f".{form}" if form in {"safetensors", "ckpt"} else "/"
