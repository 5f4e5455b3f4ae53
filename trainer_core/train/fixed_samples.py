"""What a validation measures: pictures, noises and timesteps that depend on the settings and the files alone."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer_core.config.schema import Config
from trainer_core.data.buckets import fit_picture
from trainer_core.data.cache import Frame, Latents, LatentsInMemory, LatentsOnDisk, fill, frame_keys
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item, Picture, Scan
from trainer_core.data.filewords import has_place
from trainer_core.data.order import Draw, derive_seed
from trainer_core.data.originals import Originals
from trainer_core.run.stop_signals import never

MOST_PROMPTS = 3
"""Class prompts that are compared with the start model's."""


@dataclass(frozen=True, slots=True)
class FixedSample:
    """One picture with its noise and timestep; latents and noise are [4, h, w] float32 on the CPU."""

    caption: str
    latents: Tensor
    noise: Tensor
    timestep: int


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured each time.

    Attributes:
        samples: whose loss is measured.
        prompts: of the classes that shall stay as they were; none where nothing is known of a class.
        held_out: how many pictures, of those measured, are not trained; 0 if they are the training's own.
        mark: tells this measure from any other, whose numbers cannot be compared with its.
        encoded: what the VAE makes of the pictures measured.
    """

    samples: tuple[FixedSample, ...]
    prompts: tuple[str, ...]
    held_out: int
    mark: str
    encoded: Mapping[Frame, Latents]


def measure_of(
    config: Config, scan: Scan, model: Any, device: torch.device, cache_dir: Path | None = None
) -> Measure | None:
    """Encode the pictures to be measured: held-out ones if there are any, else training pictures.

    Their latents are those of the cache, where the settings want one on disk and `cache_dir` is its folder.
    To be called before `model` is placed for training. None where [validation] asks for nothing.
    """
    count = config.validation.samples
    pictures = _pictures(scan, count)
    if not pictures:
        return None
    captions, prompts = _captions(config, pictures), class_prompts(config, scan)
    low, high = config.loss.min_timestep, min(config.loss.max_timestep, _timesteps(model))
    encoded = _encoded(config, pictures, model, device, cache_dir)
    latents = [mean * model.family.latent_scale for mean, _ in encoded.values()]
    samples = []
    for number in range(count):
        place = number % len(pictures)
        generator = torch.Generator().manual_seed(derive_seed("validation", number))
        noise = torch.randn(latents[place].shape, generator=generator)
        timestep = low + int((number + 0.5) * (high - low) / count)
        samples.append(FixedSample(captions[place], latents[place], noise, timestep))
    names = [f"{picture.path.name} {caption}" for picture, caption in zip(pictures, captions, strict=True)]
    held_out = len(pictures) if scan.held_out else 0
    return Measure(tuple(samples), prompts, held_out, _mark(config, names, prompts), encoded)


def class_prompts(config: Config, scan: Scan) -> tuple[str, ...]:
    """Return prompts of the classes trained: those of class pictures, or else the classes; none for finetuning."""
    if config.method.captions == "finetune":
        return ()
    named = [*scan.classes, *scan.train]
    texts = [
        folder.prompt if folder.kind == "class" and not has_place(folder.prompt) else folder.class_name
        for folder in named
    ]
    of_class: dict[str, str] = {}
    for folder, text in zip(named, texts, strict=True):
        if text:
            of_class.setdefault(folder.class_name.casefold(), text)
    return tuple(dict.fromkeys(of_class.values()))[:MOST_PROMPTS]


def _pictures(scan: Scan, count: int) -> list[Picture]:
    """Return at most `count` pictures; which ones depends on their names alone."""
    trained = (picture for folder in scan.train for picture in folder.pictures)
    different = {picture.path: picture for picture in (scan.held_out or trained)}
    return sorted(different.values(), key=lambda each: derive_seed("validation", each.path.name))[:count]


def _captions(config: Config, pictures: Sequence[Picture]) -> list[str]:
    """Return the text of each picture as the training has it; of those that vary, one and always the same."""
    items = [Item(picture=picture, is_class=False, repeats=1) for picture in pictures]
    steps, late = CaptionSteps(config.dataset, items, 1), 2**30
    return [steps.kept(Draw(place, late, 0, derive_seed("validation", place))) for place in range(len(items))]


def _encoded(
    config: Config, pictures: Sequence[Picture], model: Any, device: torch.device, cache_dir: Path | None
) -> dict[Frame, Latents]:
    """Encode what the cache on disk lacks, if there is one, and leave it there: the training needs it too."""
    vae, workers = model.bring("vae", device, torch.float32).eval().requires_grad_(False), config.train.workers
    frames = [Frame(picture, fit_picture(picture.size, config.dataset)) for picture in pictures]
    store: LatentsInMemory | LatentsOnDisk = LatentsInMemory()
    if cache_dir is not None and config.dataset.cache_latents == "disk":
        digests = Originals.of((picture.path for picture in pictures), workers).digests
        store = LatentsOnDisk(cache_dir / "latents", frame_keys(frames, vae, digests))
    fill(store, frames, vae, device, workers=workers, progress=lambda done, total: None, should_stop=never)
    return {frame: store.fetch(number) for number, frame in enumerate(frames)}


def _timesteps(model: Any) -> int:
    return int(model.scheduler_config.get("num_train_timesteps", 1000))


def _mark(config: Config, names: Sequence[str], prompts: Sequence[str]) -> str:
    limits = config.loss.min_timestep, config.loss.max_timestep
    parts = [str(config.validation.samples), str(config.dataset.resolution), str(limits), *names, "/", *prompts]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12]
