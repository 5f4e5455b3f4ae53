"""What gives the batches of a training: pictures encoded once, before the steps, or decoded for each step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainer_core.config.schema import Config
from trainer_core.data.batches import BatchLoader
from trainer_core.data.cache import (
    Frame,
    Latents,
    LatentsInMemory,
    LatentsOnDisk,
    fetch_latents,
    fill,
    frame_keys,
    frames_of,
    to_encode,
)
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.originals import Originals
from trainer_core.data.pixels import fetch_pixels
from trainer_core.data.stand_ins import StandIns
from trainer_core.run.events import EventWriter
from trainer_core.train.throttle import throttled
from trainer_core.train.world import World

if TYPE_CHECKING:
    from trainer_core.train.job import Samples


def make_loader(
    config: Config,
    samples: "Samples",
    originals: Originals,
    caption: CaptionSteps,
    model: Any,
    device: torch.device,
    events: EventWriter,
    cache_dir: Path,
    should_stop: Callable[[], bool],
    world: World,
    encoded: Mapping[Frame, Latents],
) -> BatchLoader:
    """Encode what is not `encoded` or cached yet, unless each step encodes its own; return what gives the batches.

    With a cache the VAE is on the CPU afterwards. `encoded` is only of use to a process that is alone.
    """
    workers, flip = config.train.workers, config.dataset.flip_aug
    model.bring("vae", device, torch.float32).eval().requires_grad_(False)
    if config.dataset.cache_latents == "off":
        return BatchLoader(
            samples.order,
            fetch_pixels(samples.items, samples.fits, config.dataset, originals),
            caption,
            device,
            ahead=workers,
            last=samples.total_steps,
            stand_ins=StandIns(samples.items, samples.order.buckets, lambda text: _tell_lost(events, text)),
            share=world.share,
        )
    frames = frames_of(samples.items, samples.fits, flip=flip)
    store: LatentsInMemory | LatentsOnDisk
    if config.dataset.cache_latents == "ram":
        store = LatentsInMemory()
        for number, frame in enumerate(frames):
            if world.is_alone and frame in encoded:  # several have to agree on what is missing
                store.add(number, *encoded[frame])
    else:
        store = LatentsOnDisk(cache_dir / "latents", frame_keys(frames, model.vae, originals.digests))
    events.emit("phase", name="cache", total=len(frames))
    missing = to_encode(store, len(frames))
    world.wait()  # nobody writes before all have looked
    fill(
        store,
        frames,
        model.vae,
        device,
        workers=workers,
        progress=throttled(lambda done, total: events.emit("progress", phase="cache", done=done, total=total)),
        should_stop=should_stop,
        missing=missing,
        share=world.share,
    )
    world.leave_if_asked(should_stop)
    if isinstance(store, LatentsInMemory) and not world.is_alone:
        world.exchange(len(frames), store.stacked, store.add_stacked)
    model.vae.to("cpu")  # before the U-Net takes its place
    return BatchLoader(
        samples.order,
        fetch_latents(store, len(samples.items), flip=flip),
        caption,
        device,
        ahead=0 if isinstance(store, LatentsInMemory) else workers,
        last=samples.total_steps,
        share=world.share,
    )


def _tell_lost(events: EventWriter, text: str) -> None:
    events.emit("warning", code="picture_lost", text=text, step=0)
