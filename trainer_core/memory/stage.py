"""What a rehearsal trains on: made-up pictures, and the settings that decide about memory alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer_core.config.schema import Config, Train
from trainer_core.data.batches import BatchLoader, Caption
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item, Picture, Size
from trainer_core.data.order import Draw, TrainingOrder
from trainer_core.memory.copy_bus import CopyBus
from trainer_core.train.job import Job, OptimizerOf, Samples, assemble
from trainer_core.train.precision import Precision
from trainer_core.train.reading import read_texts
from trainer_core.train.zero_terminal import scheduler_config_for

DEVICE = torch.device("cpu")
"""Stands in for the GPU."""
STEPS = 2


class Silent:
    """Takes events and tells them to nobody."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Forget an event."""


class Sampler:
    """Stands in for the sampler of a preview, whose tables cannot be computed without values: it does one step."""

    init_noise_sigma = 1.0

    def __init__(self, config: dict[str, Any], prediction: str) -> None:
        self.timesteps = [torch.zeros((), dtype=torch.int64)]

    def set_timesteps(self, steps: int) -> None:
        """One step needs as much memory as many."""

    def scale_model_input(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Return them as they are."""
        return latents

    def step(self, predicted: Tensor, timestep: Tensor, latents: Tensor, *, return_dict: bool) -> tuple[Tensor]:
        """Return latents like those that come."""
        return (latents - predicted,)


def rehearsed(config: Config) -> Config:
    """Return `config` with what only a GPU, a file or a later step can tell left out.

    xformers' attention needs what torch's own needs: neither keeps the matrix of all pairs.
    """
    memory = config.memory
    if memory.attention == "xformers":
        memory = memory.model_copy(update={"attention": "sdpa"})
    never = dict.fromkeys(("stop_at_step", "stop_at_epoch", "stop_at_fraction"))
    return config.model_copy(
        update={
            "memory": memory,
            "text_encoder": config.text_encoder.model_copy(update=never),
            "network": config.network.model_copy(update={"init_from": None}),
        }
    )


def stage(config: Config, model: Any, size: Size, optimizer_of: OptimizerOf, most: int) -> Job:
    """Return a training of `model` for a step or two on pictures of `size`, each with a caption of its own.

    `most` are the pictures that a batch may have; see `set_batch`.
    """
    settings = config.train
    samples = _samples(max(most, settings.batch_size) * settings.gradient_accumulation, settings, size)
    caption = CaptionSteps(config.dataset, samples.items, STEPS)
    read_texts(model, config.text_encoder, config.model.clip_skip)
    model.scheduler_config = scheduler_config_for(config.loss, model.prediction, model.scheduler_config)
    loader = _loader(config, samples, size, caption)
    precision = Precision.asked_for(config.memory, frozen_base=config.method.train == "lora")
    model.vae.eval().requires_grad_(False)
    events: Any = Silent()
    job = assemble(
        config,
        samples,
        model,
        DEVICE,
        precision,
        loader,
        caption,
        events,
        {},
        optimizer_of=optimizer_of,
        bus=CopyBus(),
    )
    set_batch(job, settings, size)
    return job


def set_batch(job: Job, settings: Train, size: Size) -> None:
    """Let the steps of `job` have batches of `settings`, at most as many pictures as it was staged with."""
    count = settings.batch_size * settings.gradient_accumulation
    job.samples = _samples(count, settings, size)
    job.loader = _loader(job.config, job.samples, size, job.loader.caption)


def _samples(count: int, settings: Train, size: Size) -> Samples:
    picture = Picture(path=Path("0.png"), size=size, caption="", caption_from="prompt")
    items = tuple(
        Item(picture=replace(picture, caption=f"a photo of sls frog {number}"), is_class=False, repeats=1)
        for number in range(count)
    )
    order = TrainingOrder(
        buckets={size: range(count)},
        batch_size=settings.batch_size,
        accumulation=settings.gradient_accumulation,
        seed=0,
    )
    return Samples(items=items, fits=(), order=order, total_steps=STEPS)


def _loader(config: Config, samples: Samples, size: Size, caption: Caption) -> BatchLoader:
    return BatchLoader(samples.order, _fetch(config, size), caption, DEVICE, ahead=0, last=STEPS)


def _fetch(config: Config, size: Size) -> Any:
    width, height = size
    shape, parts = (
        ((3, height, width), 1) if config.dataset.cache_latents == "off" else ((4, height // 8, width // 8), 2)
    )

    def fetch(draw: Draw) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(shape) for _ in range(parts))

    return fetch
