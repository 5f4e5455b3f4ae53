"""Cached latents: what is encoded again and what is not; mirrored samples get the latents of mirrored pictures."""

import shutil
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from trainer_core.config.schema import Dataset
from trainer_core.data.augment import variation_of
from trainer_core.data.buckets import fit_picture
from trainer_core.data.cache import (
    LatentsInMemory,
    LatentsOnDisk,
    encode,
    fetch_latents,
    fill,
    frame_keys,
    frames_of,
)
from trainer_core.data.dataset import Item, Picture
from trainer_core.data.order import TrainingOrder
from trainer_core.data.originals import Originals
from trainer_core.data.pixels import fetch_pixels
from trainer_core.models.tiny import build_tiny

SIZE = (96, 64)


class CountingVae:
    """A VAE that counts the pictures it encodes."""

    def __init__(self, vae) -> None:
        self.vae = vae
        self.count = 0

    def encode(self, pixels):
        self.count += len(pixels)
        return self.vae.encode(pixels)

    def state_dict(self):
        return self.vae.state_dict()


@pytest.fixture
def vae():
    return CountingVae(build_tiny("sd1", "epsilon", seed=1).vae.eval())


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        write_picture(tmp_path / "pictures" / f"0{number}.png", number)
    return tmp_path / "pictures"


def write_picture(path: Path, seed: int) -> None:
    values = numpy.random.RandomState(seed).randint(0, 256, (SIZE[1], SIZE[0], 3), dtype=numpy.uint8)
    Image.fromarray(values).save(path)


def items_in(folder: Path) -> list[Item]:
    return [
        Item(picture=Picture(path=path, size=SIZE, caption="", caption_from="folder"), is_class=False, repeats=1)
        for path in sorted(folder.glob("*.png"))
    ]


def digests_of(items: list[Item]) -> dict[Path, str]:
    return Originals.of((item.picture.path for item in items), workers=1).digests


def fits_of(items: list[Item], resolution=(64, 64)):
    return [fit_picture(item.picture.size, Dataset(resolution=resolution)) for item in items]


def encoded(folder: Path, vae: CountingVae, resolution=(64, 64), flip: bool = False) -> int:
    """Fill the cache on disk and return how many pictures went through the VAE."""
    before = vae.count
    items = items_in(folder)
    frames = frames_of(items, fits_of(items, resolution), flip=flip)
    store = LatentsOnDisk(folder.parent / "cache", frame_keys(frames, vae, digests_of(items)))
    progress = []
    fill(
        store,
        frames,
        vae,
        torch.device("cpu"),
        workers=1,
        progress=lambda done, total: progress.append((done, total)),
        should_stop=lambda: False,
    )
    assert progress[-1] == (len(frames), len(frames))
    for index in range(len(frames)):
        assert store.fetch(index)[0].shape == (4, resolution[1] // 8, resolution[0] // 8)
    return vae.count - before


def test_only_what_changed_is_encoded_again(folder, vae):
    assert encoded(folder, vae) == 3
    assert encoded(folder, vae) == 0
    assert encoded(folder, vae, flip=True) == 3  # the mirrored ones alone
    assert encoded(folder, vae, flip=True) == 0

    write_picture(folder / "01.png", seed=50)
    assert encoded(folder, vae, flip=True) == 2  # one picture, both ways
    (folder / "02.png").rename(folder / "moved.png")
    shutil.copy(folder / "00.png", folder / "copy.png")
    assert encoded(folder, vae, flip=True) == 0  # names are no content

    assert encoded(folder, vae, resolution=(64, 128)) == 3  # another crop; of the copies one
    assert encoded(folder, vae) == 0
    with torch.no_grad():
        next(vae.vae.parameters()).add_(0.01)
    files = set((folder.parent / "cache").rglob("*.safetensors"))
    assert encoded(folder, vae) == 3
    damaged = min(set((folder.parent / "cache").rglob("*.safetensors")) - files)
    damaged.write_bytes(damaged.read_bytes()[:40])
    assert encoded(folder, vae) == 1


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_cached_latents_are_those_of_the_pixels_that_would_be_loaded(folder, vae, kind):
    dataset, items = Dataset(resolution=(64, 64), flip_aug=True), items_in(folder)
    fits = fits_of(items)
    frames = frames_of(items, fits, flip=True)
    store = (
        LatentsInMemory()
        if kind == "ram"
        else LatentsOnDisk(folder.parent / "c", frame_keys(frames, vae, digests_of(items)))
    )
    fill(store, frames, vae, torch.device("cpu"), workers=1, progress=lambda *_: None, should_stop=lambda: False)
    order = TrainingOrder(buckets={(64, 64): [0, 1, 2]}, batch_size=3, accumulation=1, seed=7)
    latents, pixels = fetch_latents(store, len(items), flip=True), fetch_pixels(items, fits, dataset)
    flips = set()
    for step in range(4):
        for draw in order.draws(step, 0, order.step(step)[0]):
            flips.add(variation_of(dataset, draw.seed).flip)
            mean, std = encode(vae, pixels(draw)[0][None])
            assert torch.equal(latents(draw)[0], mean[0])
            assert torch.equal(latents(draw)[1], std[0])
    assert flips == {True, False}


def test_a_job_with_flips_caches_both_orientations_and_trains(make_job, run_job, recorder):
    job = make_job(events=recorder, reg=False, dataset={"flip_aug": True, "cache_latents": "disk"})
    assert {"kind": "phase", "name": "cache", "total": 10} in recorder.events
    assert len(run_job(job, steps=2)) == 2


def test_a_job_that_varies_everything_trains_and_its_pixels_can_be_had_again(make_job, run_job):
    varied = {"flip_aug": True, "random_crop": True, "color_aug": 0.1, "brightness_aug": 0.1, "rotate_aug": 5.0}
    losses = []
    for dataset in ({**varied}, {**varied}, {}):
        job = make_job(side=64, reg=False, dataset={**dataset, "cache_latents": "off"})
        losses.append([report.loss for report in run_job(job, steps=2)])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
