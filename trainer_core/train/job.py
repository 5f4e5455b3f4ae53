"""A training, made ready: everything that the loop needs, in one named place."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.nn import Parameter

from trainer_core.config.schema import Config, Optimizer
from trainer_core.data.batches import BatchLoader
from trainer_core.data.buckets import Fit
from trainer_core.data.cache import Frame, Latents
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item
from trainer_core.data.order import TrainingOrder
from trainer_core.data.originals import Originals
from trainer_core.models.bus import Bus
from trainer_core.models.lora.adapters import Adapters
from trainer_core.resume.facts import Facts, facts_of
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import never
from trainer_core.train.average import WeightAverage
from trainer_core.train.conditioning import Conditioning
from trainer_core.train.make_loader import make_loader
from trainer_core.train.objective import Objective
from trainer_core.train.optimizers import WeightUpdate, make_optimizer
from trainer_core.train.precision import Precision
from trainer_core.train.reading import conditioning_of, read_texts
from trainer_core.train.scaler import LossScaler
from trainer_core.train.sharded import Sharded
from trainer_core.train.streaming import bus_for
from trainer_core.train.totals import Totals
from trainer_core.train.trained import Group, make_adapters, place_for_training
from trainer_core.train.update import Groups
from trainer_core.train.world import ALONE, STOPS, World
from trainer_core.train.zero_terminal import scheduler_config_for


@dataclass(frozen=True, slots=True)
class Samples:
    """What is trained on.

    Attributes:
        items: every picture of an epoch, with its part in it.
        fits: for each item, how its picture becomes its bucket.
        order: the batches of every step.
        total_steps: optimizer steps of the whole training.
    """

    items: tuple[Item, ...]
    fits: tuple[Fit, ...]
    order: TrainingOrder
    total_steps: int


class OptimizerOf(Protocol):
    """What makes an optimizer; see `make_optimizer`."""

    def __call__(
        self, groups: Groups, settings: Optimizer, *, exact_skip: bool, bus: Bus | None = None
    ) -> WeightUpdate:
        """Build it."""


def _nothing() -> None:
    """Do nothing: outside the loop no numbers are under way."""


@dataclass(slots=True)
class Job:
    """Everything that the loop reads. Only the tensors and the attributes below change while it runs.

    Attributes:
        events: where warnings go.
        facts: what a checkpoint remembers of settings, pictures and model.
        adapters: the LoRA that is trained; None for full training.
        bus: the way to main memory for what [memory] lets lie there; None where nothing does.
        started: when this process made it ready, seconds since the epoch.
        average: the moving average of the weights; None without [ema].
        totals: what was done in all, over every resume.
        step: optimizer steps done.
        in_update: whether weights are being changed; an error meanwhile leaves them between two steps.
        settle: waits for the numbers of the last step; raises if they, or the weights, are not finite. Called
            before a save.
        should_stop: asked between the batches of a step of which the rest would take long.
        world: the processes that share its batches.
        sharded: the weights, where each process keeps a part of them; None where it has them whole.
    """

    config: Config
    samples: Samples
    model: Any
    device: torch.device
    precision: Precision
    loader: BatchLoader
    conditioning: Conditioning
    objective: Objective
    groups: list[Group]
    optimizer: WeightUpdate
    scaler: LossScaler
    events: EventWriter
    facts: Facts
    adapters: Adapters | None = None
    bus: Bus | None = None
    started: float = field(default_factory=time.time)
    average: WeightAverage | None = None
    totals: Totals = field(default_factory=Totals)
    step: int = 0
    in_update: bool = False
    settle: Callable[[], None] = _nothing
    should_stop: Callable[[], bool] = never
    world: World = ALONE
    sharded: Sharded | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every trained weight by name, group after group; where they are cut, this process's parts."""
        return {name: parameter for group in self.groups for name, parameter in group.parameters.items()}

    def kept_weights(self) -> AbstractContextManager[None]:
        """Put the weights to save and to draw with in place of those under training, while it lasts.

        Where they are cut, the model has whole modules meanwhile, in main memory.
        """
        return self.sharded.whole_weights(self.kept_parts) if self.sharded else self.kept_parts()

    def kept_parts(self) -> AbstractContextManager[None]:
        """Do the same with what this process has."""
        return self.average.kept_weights() if self.average else self.optimizer.kept_weights()

    @property
    def replicas(self) -> list[Parameter]:
        """The trained weights that every process has a copy of."""
        return [] if self.sharded else list(self.parameters.values())

    def dismiss(self) -> None:
        """Let the other processes go, which wait to give their parts of the weights."""
        if self.sharded:
            self.world.agree(STOPS)

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.samples.order.steps_per_epoch


def prepare(
    config: Config,
    samples: Samples,
    model: Any,
    device: torch.device,
    events: EventWriter,
    *,
    cache_dir: Path,
    should_stop: Callable[[], bool],
    world: World = ALONE,
    encoded: Mapping[Frame, Latents] | None = None,
) -> Job:
    """Encode the pictures, place the model on `device`, and build optimizer, conditioning and loader.

    Those `encoded` need not be again.
    """
    precision = Precision.of(config.memory, device, frozen_base=config.method.train == "lora")
    read_texts(model, config.text_encoder, config.model.clip_skip)
    model.scheduler_config = scheduler_config_for(config.loss, model.prediction, model.scheduler_config)
    caption = CaptionSteps(config.dataset, samples.items, samples.total_steps)
    originals = Originals.of((item.picture.path for item in samples.items), config.train.workers)
    loader = make_loader(
        config, samples, originals, caption, model, device, events, cache_dir, should_stop, world, encoded or {}
    )
    world.leave_if_asked(should_stop)
    facts = facts_of(
        config,
        samples.items,
        samples.fits,
        originals.digests,
        total_steps=samples.total_steps,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    )
    bus = bus_for(config.memory, device, events)
    if "unet" in model.waiting:
        events.emit("progress", phase="load", done=0, total=0, text="loading the U-Net")
    return assemble(
        config, samples, model, device, precision, loader, caption, events, facts, bus=bus, world=world
    )


def assemble(
    config: Config,
    samples: Samples,
    model: Any,
    device: torch.device,
    precision: Precision,
    loader: BatchLoader,
    caption: CaptionSteps,
    events: EventWriter,
    facts: Facts,
    *,
    optimizer_of: OptimizerOf = make_optimizer,
    bus: Bus | None = None,
    world: World = ALONE,
) -> Job:
    """Place the model on `device` and build what the steps need besides their pictures.

    A rehearsal without weights (trainer_core/memory) calls it too, with its own way of making an optimizer,
    and its own to main memory.
    """
    adapters = make_adapters(config, model)
    groups = place_for_training(config, model, device, precision, adapters, bus)
    sharded = None
    if config.memory.fsdp and not world.is_alone:
        sharded = Sharded(model, groups, device, world)
        groups = sharded.groups
    job = Job(
        config=config,
        samples=samples,
        model=model,
        device=device,
        precision=precision,
        loader=loader,
        conditioning=conditioning_of(
            config,
            caption,
            model,
            groups,
            precision,
            device,
            steps_per_epoch=samples.order.steps_per_epoch,
            total_steps=samples.total_steps,
        ),
        objective=Objective.of(config.loss, model.prediction, model.scheduler_config, device),
        groups=groups,
        optimizer=optimizer_of(
            [list(group.parameters.values()) for group in groups],
            config.optimizer,
            exact_skip=precision.scaled,
            bus=bus if config.memory.stream_state else None,
        ),
        scaler=LossScaler(device, enabled=precision.scaled),
        events=events,
        facts=facts,
        adapters=adapters,
        bus=bus,
        world=world,
        sharded=sharded,
    )
    if config.ema.enable:
        job.average = WeightAverage(job.parameters, config.ema.decay, exact_skip=precision.scaled)
    leave_the_device(job)
    return job


def leave_the_device(job: Job) -> None:
    """Move what the steps do not need to the CPU: the VAE and the text encoder once their output is cached."""
    for module in not_for_steps(job):
        module.to("cpu")
    if job.device.type == "cuda":
        torch.cuda.empty_cache()


def not_for_steps(job: Job) -> list[Any]:
    """Return the modules that the steps do not need, since their output is cached."""
    vae = [job.model.vae] if job.config.dataset.cache_latents != "off" else []
    text_encoder = [job.model.text_encoder] if job.conditioning.embeddings is not None else []
    return vae + [each for each in text_encoder if not (job.sharded and job.sharded.holds(each))]
