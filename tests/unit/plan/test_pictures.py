"""What a plan says of the pictures: their buckets, and the room that their latents need."""

from pathlib import Path

import pytest
from PIL import Image

from trainer_core.data.buckets import novelai_sizes
from trainer_core.data.dataset import Size


@pytest.fixture
def mixed(tmp_path) -> dict[str, str]:
    """A dataset of one wide, one tall and two square pictures."""
    folder = tmp_path / "mixed" / "10_sls frog"
    folder.mkdir(parents=True)
    for number, size in enumerate([(900, 400), (400, 900), (600, 600), (700, 700)]):
        Image.new("RGB", size, "green").save(folder / f"{number}.png")
    return {"train_dir": str(folder.parent)}


def latent_bytes(buckets: dict[Size, int]) -> int:
    """Mean and deviation, 4 channels, float32, one cell for 8 x 8 pixels."""
    return sum(count * (width // 8) * (height // 8) * 2 * 4 * 4 for (width, height), count in buckets.items())


@pytest.mark.parametrize(
    ("resolution", "bucket", "expected"),
    [
        ((512, 512), {"enable": False}, {(512, 512): 4}),
        ((512, 512), {"enable": True}, {(704, 320): 1, (320, 704): 1, (512, 512): 2}),
        ((512, 768), {"enable": True, "shapes": "novelai"}, {(896, 384): 1, (384, 896): 1, (512, 512): 2}),
        ((512, 768), {"enable": True}, {(896, 384): 1, (384, 896): 1, (576, 576): 2}),
    ],
)
def test_buckets_and_the_room_for_latents(plan, mixed, resolution, bucket, expected):
    dataset = {**mixed, "resolution": resolution, "bucket": bucket}
    made = plan(dataset=dataset)
    assert made.buckets == expected
    if bucket.get("shapes"):
        assert set(made.buckets) <= set(novelai_sizes())
    assert made.disk.cache == 0
    once = plan(dataset={**dataset, "cache_latents": "disk"})
    assert once.disk.cache == latent_bytes(expected)
    both = plan(dataset={**dataset, "cache_latents": "disk", "flip_aug": True})
    assert both.disk.cache == 2 * once.disk.cache
    assert both.buckets == expected
    assert both.disk.places[0].needed - once.disk.places[0].needed == once.disk.cache


def test_a_random_crop_without_room_is_remarked_on(plan, mixed):
    def cropping(**dataset) -> bool:
        settings = {**mixed, "random_crop": True, "cache_latents": "off", **dataset}
        return any("random_crop has no effect" in note for note in plan(dataset=settings).notes)

    assert not cropping()
    for name in ("0.png", "1.png"):
        (Path(mixed["train_dir"]) / "10_sls frog" / name).unlink()
    assert cropping()
    assert not cropping(rotate_aug=5.0)
    assert not cropping(random_crop=False)
