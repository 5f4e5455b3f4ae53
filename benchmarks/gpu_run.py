"""One training on a device, watched: memory by phase, speed, loss, skipped steps, and who waits for the device."""

import gc
import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from gpu_meters import GB, Clock, Memory
from our_loop import OurTraining

from trainer_core.config.schema import Config
from trainer_core.data.balance import match_class_items
from trainer_core.data.buckets import fit_picture
from trainer_core.data.order import TrainingOrder
from trainer_core.data.scan import scan_dataset
from trainer_core.errors import UserError
from trainer_core.models.model import StableDiffusion
from trainer_core.models.snapshot import take_snapshot
from trainer_core.train import job as job_module
from trainer_core.train.job import Job, Samples, leave_the_device, prepare
from trainer_core.train.loop import StepReport
from trainer_core.train.preview import draw

CONTEXT_GB = 0.7
"""What the driver and the CUDA context take of a card; torch's allocator does not see it."""
SPARE = 0.1
"""Share of its card that a preset has to leave, what the driver and the context take included."""
EASED = {"out_of_memory", "memory_stepped_down"}
"""Warnings of a training that went on with less memory than its settings take."""


@dataclass(slots=True)
class Watched:
    """What one training showed.

    Attributes:
        memory: peak GB of each phase: what tensors used, and what the allocator reserved; empty on a CPU.
        losses: of every step.
        skipped: steps that the fp16 scaler left out because a gradient overflowed.
        scale: the scaler's factor at the end, 1 where there is none.
        waits: calls that make the host wait, per step.
        problem: why it did not run to its end, None if it did.
    """

    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    skipped: int = 0
    scale: float = 1.0
    steps_per_s: float | None = None
    images_per_s: float | None = None
    waits: dict[str, float] = field(default_factory=dict)
    problem: str | None = None

    @property
    def finite(self) -> bool:
        """Whether there were losses and all of them are numbers."""
        return bool(self.losses) and all(map(math.isfinite, self.losses))

    def as_dict(self) -> dict[str, Any]:
        """Return everything for a JSON file; of the losses the first and the last."""
        return {
            "memory_gb": self.memory,
            "steps_per_s": _rounded(self.steps_per_s),
            "images_per_s": _rounded(self.images_per_s),
            "losses_finite": self.finite,
            "first_loss": _rounded(self.losses[0]) if self.losses else None,
            "last_loss": _rounded(self.losses[-1]) if self.losses else None,
            "skipped_steps": self.skipped,
            "loss_scale": self.scale,
            "host_waits_per_step": self.waits,
            "problem": self.problem,
        }


def samples_of(config: Config) -> Samples:
    """Return what `config` trains on; a plan without looking at the model, which lies in memory only."""
    items = match_class_items(scan_dataset(config.dataset, config.concept, method=config.method.captions))
    fits = tuple(fit_picture(item.picture.size, config.dataset) for item in items)
    buckets: dict[tuple[int, int], list[int]] = {}
    for index, (item, fit) in enumerate(zip(items, fits, strict=True)):
        buckets.setdefault(fit.bucket, []).extend([index] * item.repeats)
    order = TrainingOrder(
        buckets=buckets,
        batch_size=config.train.batch_size,
        accumulation=config.train.gradient_accumulation,
        seed=config.train.seed,
    )
    return Samples(items=items, fits=fits, order=order, total_steps=config.train.max_steps or 1)


def watch(
    config: Config,
    model: StableDiffusion,
    device: torch.device,
    runs_dir: Path,
    *,
    card_gb: float | None = None,
    profiled_steps: int = 0,
    saves: bool = False,
) -> Watched:
    """Train `model` in place by `config`, then draw one preview; what it could not do is in `problem`.

    Args:
        config: with pictures, without a model file; max_steps counts the profiled steps too.
        model: what is trained, on the CPU.
        device: where.
        runs_dir: folder for the run directory.
        card_gb: pretend that the card has this much memory.
        profiled_steps: how many of the last steps run under torch's profiler, after the speed was measured.
        saves: whether the model is copied to main memory at the end, as for a file of it.
    """
    watched = Watched()
    _free(device)  # what an earlier model left in torch's cache would count as this one's
    training = OurTraining(config, runs_dir, device)
    training.events.watchers.append(lambda event: _look(event, watched))
    _limit(device, card_gb)
    try:
        _train(training, config, model, watched, profiled_steps, saves=saves)
    except torch.OutOfMemoryError:
        watched.problem = "out of memory"
    except UserError as error:
        watched.problem = "; ".join(error.problems)
    except Exception as error:  # noqa: BLE001 - one training that fails must not lose the others
        traceback.print_exc()
        watched.problem = f"{type(error).__name__}: {error}"
    finally:
        training.close()
        training.job = None
        _free(device)
        _limit(device, None)
    return watched


def _look(event: dict[str, Any], watched: Watched) -> None:
    """A training that made itself smaller did not fit."""
    if event["kind"] == "warning" and event["code"] in EASED and watched.problem is None:
        watched.problem = f"out of memory, and went on: {event['text']}"


def _train(
    training: OurTraining,
    config: Config,
    model: StableDiffusion,
    watched: Watched,
    profiled_steps: int,
    *,
    saves: bool,
) -> None:
    device = training.device
    with_memory = Memory(device, watched.memory)
    with_memory.start()
    with _before_placing(lambda: with_memory.end("cache")):
        job = prepare(
            config,
            samples_of(config),
            model,
            device,
            training.events,
            cache_dir=training.runs_dir / ".cache",
            should_stop=lambda: False,
        )
    training.job = job
    with_memory.end("placing")
    clock = Clock(job, device, job.samples.total_steps - profiled_steps, profiled_steps)

    def on_report(report: StepReport) -> None:
        watched.losses.append(report.loss)
        watched.skipped += not math.isfinite(report.grad_norm)

    training.train(clock.tick, on_report)
    with_memory.end("train")
    watched.scale = float(job.scaler.scale)
    watched.waits = clock.waits()
    watched.steps_per_s, watched.images_per_s = clock.speed()
    if config.sample.prompts:
        _draw(job)
        with_memory.end("preview")
    if saves:
        with job.kept_weights():
            take_snapshot(job.model, "safetensors", "fp16", {})
        with_memory.end("save")


@contextmanager
def _before_placing(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` when pictures are encoded, and the U-Net is about to be put on the device."""
    place = job_module.place_for_training

    def told(*arguments: Any) -> Any:
        tell()
        return place(*arguments)

    job_module.place_for_training = told
    try:
        yield
    finally:
        job_module.place_for_training = place


def _draw(job: Job) -> None:
    job.model.vae.to(job.device)
    job.model.text_encoder.to(job.device).eval()  # it left, where its output is cached
    job.model.unet.eval()
    draw(
        job.model,
        job.config.sample.prompts[0],
        job.config.dataset.resolution,
        job.device,
        clip_skip=None,
        autocast=job.precision.autocast(job.device),
    )
    leave_the_device(job)


def limit_gb(card_gb: float) -> float:
    """Return what torch may reserve of a card of so many GB: a tenth of it is to stay free."""
    return min((1 - SPARE) * card_gb, card_gb - CONTEXT_GB)


def _limit(device: torch.device, card_gb: float | None) -> None:
    if device.type != "cuda":
        return
    total = torch.cuda.get_device_properties(device).total_memory / GB
    fraction = 1.0 if card_gb is None else min(1.0, limit_gb(card_gb) / total)
    torch.cuda.set_per_process_memory_fraction(fraction, device)


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)
