"""Pictures of mixed sizes are trained undistorted: a grid drawn on them is measured in the batches."""

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from trainer_core.config.schema import Config
from trainer_core.data.augment import variation_of
from trainer_core.data.batches import BatchLoader
from trainer_core.data.buckets import novelai_sizes
from trainer_core.data.pixels import fetch_pixels
from trainer_core.plan import make_plan

SIZES = [
    (640, 480),
    (480, 640),
    (1000, 300),
    (300, 1000),
    (512, 512),
    (97, 201),
    (1333, 777),
    (720, 1280),
    (250, 333),
]
WITH_BUCKETS = {"enable": True, "min_reso": 128, "max_reso": 512}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Pictures with a grid of ten squares on the shorter side, black on white; the left half has less red."""
    folder = tmp_path_factory.mktemp("grid") / "1_sls frog"
    folder.mkdir()
    for number, (width, height) in enumerate(SIZES):
        y, x = numpy.mgrid[:height, :width]
        square = spacing((width, height))
        on_line = (x % square < square // 4) | (y % square < square // 4)
        picture = numpy.where(on_line, 0, 255)[..., None].repeat(3, axis=2).astype(numpy.uint8)
        picture[:, : width // 2, 0] //= 2
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder.parent


def spacing(size: tuple[int, int]) -> int:
    return min(size) // 10


def batches(folder: Path, **dataset):
    """Scan, plan and load one epoch; yield each sample's size, fit, pixels [3, H, W] in 0..1, and variation."""
    config = Config.model_validate(
        {
            "schema": 1,
            "model": {"base": "owner/name"},
            "dataset": {"train_dir": str(folder), "cache_latents": "off", **dataset},
            "train": {"batch_size": 2, "workers": 2},
        }
    )
    plan = make_plan(config, folder)
    plan.raise_for_problems()
    fetch = fetch_pixels(plan.items, plan.fits, config.dataset)
    steps = plan.order.steps_per_epoch
    loader = BatchLoader(plan.order, fetch, lambda draw: "", torch.device("cpu"), ahead=2, last=steps)
    for step in range(steps):
        draws = [
            draw
            for number, micro in enumerate(plan.order.step(step))
            for draw in plan.order.draws(step, number, micro)
        ]
        rows = [row for batch in loader.step(step) for row in batch.tensors[0]]
        for draw, row in zip(draws, rows, strict=True):
            fit = plan.fits[draw.item]
            assert row.shape[1:] == fit.bucket[::-1]
            yield (
                plan.items[draw.item].picture.size,
                fit,
                (row.numpy() + 1) / 2,
                variation_of(config.dataset, draw.seed),
            )
    loader.close()


def pitch(profile: numpy.ndarray) -> float:
    """The distance of the dark lines in a profile: the slope of their centres over their number."""
    dark = (profile.max() - profile) / (profile.max() - profile.min()) > 0.5
    edges = numpy.flatnonzero(numpy.diff(dark.astype(int)))
    if dark[0]:
        edges = edges[1:]  # the first line is cut
    pairs = edges[: len(edges) // 2 * 2].reshape(-1, 2)
    centres = pairs.mean(axis=1)
    assert len(centres) >= 4, "too few lines to measure"
    return float(numpy.polyfit(numpy.arange(len(centres)), centres, 1)[0])


def check_grid(size, fit, pixels) -> None:
    green = pixels[1]
    across, down = pitch(green.mean(axis=0)), pitch(green.mean(axis=1))
    expected = spacing(size) * fit.resize[0] / size[0]
    assert across == pytest.approx(down, abs=0.5), (size, fit)
    assert across == pytest.approx(expected, abs=0.5), (size, fit)


@pytest.mark.parametrize(
    "settings",
    [
        {"resolution": [256, 256]},
        {"resolution": [192, 320]},
        {"resolution": [256, 256], "bucket": WITH_BUCKETS},
        {"resolution": [256, 256], "bucket": WITH_BUCKETS, "random_crop": True, "flip_aug": True},
        {"resolution": [512, 512], "bucket": {"enable": True, "no_upscale": True}},
        {"resolution": [512, 768], "bucket": {"enable": True, "shapes": "novelai"}, "random_crop": True},
        {"resolution": [256, 256], "random_crop": True},
    ],
    ids=["square", "tall", "buckets", "buckets, cropped and mirrored", "no_upscale", "novelai", "cropped"],
)
def test_the_grid_is_square_in_every_batch(pictures, settings):
    seen = []
    for size, fit, pixels, variation in batches(pictures, **settings):
        check_grid(size, fit, pixels)
        seen.append((size, fit, pixels, variation))
    assert sorted(size for size, *_ in seen) == sorted(SIZES)
    if settings.get("bucket", {}).get("shapes") == "novelai":
        assert {fit.bucket for _, fit, *_ in seen} <= set(novelai_sizes())
        assert len({fit.bucket for _, fit, *_ in seen}) > 4
    if settings.get("flip_aug"):
        assert {variation.flip for *_, variation in seen} == {True, False}
    for size, fit, pixels, variation in seen:
        red = pixels[0] - pixels[2]  # negative in the picture's left half
        if settings.get("random_crop") and fit.resize[0] > fit.bucket[0]:
            continue
        left, right = red[:, : red.shape[1] // 3].mean(), red[:, -(red.shape[1] // 3) :].mean()
        assert (right > left + 0.1) != variation.flip, (size, fit)


def test_everything_that_varies_is_the_same_again(pictures):
    settings = {
        "resolution": [256, 256],
        "random_crop": True,
        "flip_aug": True,
        "color_aug": 0.2,
        "brightness_aug": 0.2,
        "rotate_aug": 8.0,
    }
    first, again = (list(batches(pictures, **settings)) for _ in range(2))
    assert all(numpy.array_equal(a[2], b[2]) for a, b in zip(first, again, strict=True))
    plain = {size: pixels for size, _, pixels, _ in batches(pictures, resolution=[256, 256])}
    assert not any(numpy.array_equal(pixels, plain[size]) for size, _, pixels, _ in first)
