"""Our trainer beside the plain diffusers loop on one device, with the same settings, in one call."""

import copy
import gc
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from bench_data import INSTANCE_PROMPT
from gpu_meters import SETTLING_STEPS
from gpu_run import Watched
from plain_loop import Pairs, PlainSettings, clip_tokenize, train_plain
from results_file import say

from trainer_core.config.schema import Config
from trainer_core.models.configs import bundled_config
from trainer_core.models.model import StableDiffusion

BATCHES = (1, 16)
REQUIRED = 1.5
SETTINGS = (
    'memory.mixed_precision="bf16"',
    "memory.gradient_checkpointing=false",
    "memory.fused_backward=false",
    'optimizer.type="adamw"',
    'dataset.cache_latents="ram"',
    "text_encoder.train=true",
)
"""What both do: AdamW, bf16 forward passes over float32 weights, U-Net and text encoder."""
ConfigOf = Callable[..., Config]
"""Gives a configuration with these overrides."""


def beside_plain(
    config_of: ConfigOf,
    model_of: Callable[[Config], StableDiffusion],
    watch: Callable[[Config], Watched],
    folder: Path,
    device: torch.device,
    *,
    steps: int,
    batches: Iterable[int] = BATCHES,
) -> Iterator[dict[str, Any]]:
    """Yield for each batch size pictures per second of ours, of the loop, and of the loop with cached latents."""
    for batch in batches:
        config = config_of(*SETTINGS, f"train.batch_size={batch}")
        ours = watch(config)
        row: dict[str, Any] = {
            "batch_size": batch,
            "ours_images_per_s": ours.images_per_s,
            "ours_memory_gb": ours.memory,
            "problem": ours.problem,
        }
        for name, is_cached in (("plain", False), ("plain_cached", True)):
            try:
                speed = plain_speed(
                    copy.deepcopy(model_of(config)), config, folder, device, steps=steps, cache_latents=is_cached
                )
            except Exception as error:  # noqa: BLE001 - the other rows go on
                traceback.print_exc()
                speed, row["problem"] = None, f"{name}: {type(error).__name__}: {error}"
            _free()
            row[f"{name}_images_per_s"] = speed
            row[f"ratio_to_{name}"] = round(ours.images_per_s / speed, 3) if ours.images_per_s and speed else None
        say(f"beside the plain loop: {row}")
        yield row


def plain_speed(
    model: StableDiffusion,
    config: Config,
    folder: Path,
    device: torch.device,
    *,
    steps: int,
    cache_latents: bool,
) -> float:
    """Return the pictures per second of the plain loop, trained in place; the first steps do not count.

    The loop reads its loss at every step, so a step that is over has left the device too.
    """
    paths = sorted((folder / "train").glob("*/*.png"))
    family = "sd2-base" if config.model.family == "sd2" else "sd1"
    tokenize = clip_tokenize(bundled_config(family, folder / "configs"))
    batch = config.train.batch_size
    pairs = Pairs(paths * batch, [], (INSTANCE_PROMPT, ""), config.dataset.resolution[0], tokenize)
    settings = PlainSettings(
        steps=steps + SETTLING_STEPS,
        pairs=batch,
        side=config.dataset.resolution[0],
        learning_rate=config.optimizer.learning_rate,
        seed=config.train.seed,
        cache_latents=cache_latents,
        mixed_precision="bf16",
        has_prior=False,
        on_cpu=device.type == "cpu",
    )
    ticks: list[float] = []
    train_plain(model, pairs, settings, lambda *_: ticks.append(time.perf_counter()))
    return round(batch * steps / (ticks[-1] - ticks[SETTLING_STEPS - 1]), 3)


def _free() -> None:
    """Give back what the loop held, which lies in cycles of accelerate's."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
