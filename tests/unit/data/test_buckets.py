"""Buckets: kohya's published tables, the choice among them, and what happens to a picture."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Bucket, Dataset
from trainer_core.data.buckets import assign_bucket, bucket_sizes, bucket_table, fit, fit_picture, nearest_bucket
from trainer_core.data.dataset import Item, Picture
from trainer_core.errors import ExitCode, UserError

WIDE = {256: (832, 896, 960, 1024), 320: (704, 768), 384: (640,), 448: (576,), 512: (512,)}
LARGE = {704: (832,), 640: (896,), 576: (960, 1024), 768: (768,), 512: (1024,), 448: (1024,), 384: (1024,)}
TALL = {576: (576, 640), 512: (704, 768), 448: (832,), 384: (896, 960, 1024), 320: (1024,), 256: (1024,)}


def both_ways(table):
    pairs = {(short, long) for short, longs in table.items() for long in longs}
    return tuple(sorted(pairs | {(long, short) for short, long in pairs}))


@pytest.mark.parametrize(
    ("resolution", "largest", "count", "members"),
    [
        ((512, 512), 1024, 17, both_ways(WIDE)),
        ((768, 768), 1024, 19, both_ways(LARGE | {320: (1024,), 256: (1024,)})),
        ((512, 768), 1024, 19, both_ways(TALL)),
        ((768, 512), 1024, 19, both_ways(TALL)),
    ],
)
def test_the_published_tables(resolution, largest, count, members):
    sizes = bucket_sizes(resolution, 256, largest, 64)
    assert len(sizes) == count
    assert sizes == members


def test_the_table_of_1024():
    sizes = bucket_sizes((1024, 1024), 256, 2048, 64)
    assert len(sizes) == 41
    assert {(1024, 1024), (832, 1216), (896, 1152), (768, 1344), (640, 1536), (512, 2048)} <= set(sizes)


def test_min_is_rounded_down_and_max_up():
    assert bucket_sizes((512, 512), 300, 1000, 64) == bucket_sizes((512, 512), 256, 1024, 64)


def test_a_minimum_keeps_narrow_buckets_out():
    sizes = bucket_sizes((768, 512), 384, 1280, 64)
    assert min(min(size) for size in sizes) == 384
    assert (1280, 256) not in sizes


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (((512, 512), 576, 1024, 64), ["min_reso = 576"]),
        (((512, 768), 256, 640, 64), ["max_reso = 640"]),
        (((512, 512), 768, 448, 64), ["min_reso = 768", "max_reso = 448"]),
        (((512, 512), 256, 1024, 1024), ["step = 1024"]),
    ],
)
def test_settings_that_contradict_each_other(settings, named):
    with pytest.raises(UserError) as raised:
        bucket_sizes(*settings)
    assert raised.value.code == ExitCode.CONFIG
    assert len(raised.value.problems) == len(named)
    for problem, name in zip(raised.value.problems, named, strict=True):
        assert problem.startswith(f"dataset.bucket.{name}")


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((640, 384), (640, 384)),
        ((1920, 1080), (640, 384)),  # 1.778 is nearer to 1.667 than to 704 / 320 = 2.2
        ((1000, 1000), (512, 512)),
        ((3000, 4000), (448, 576)),
        ((100, 400), (256, 1024)),
    ],
)
def test_the_nearest_aspect_is_chosen(size, bucket):
    sizes = bucket_sizes((512, 512), 256, 1024, 64)
    assert nearest_bucket(size, sizes) == bucket


def test_of_equally_near_buckets_the_first_is_chosen():
    assert nearest_bucket((3, 2), ((64, 64), (128, 64))) == (64, 64)


def test_off_means_cover_and_crop():
    dataset = Dataset(resolution=(512, 512))
    wide, small = fit_picture((1000, 500), dataset), fit_picture((100, 50), dataset)
    assert (wide.resize, wide.crop, wide.bucket) == ((1024, 512), (256, 0, 768, 512), (512, 512))
    assert small.resize == (1024, 512)
    assert fit_picture((500, 1001), dataset).resize == (512, 1025)


@pytest.mark.parametrize(
    ("size", "resize", "bucket"),
    [
        ((600, 400), (600, 400), (576, 384)),  # small enough: only cropped
        ((512, 512), (512, 512), (512, 512)),
        ((1000, 1000), (512, 512), (512, 512)),
        ((1200, 800), (576, 384), (576, 384)),
        ((1600, 900), (683, 384), (640, 384)),  # height route: 384 * 16/9
        ((40, 200), (64, 320), (64, 192)),  # a side shorter than the step must grow
        ((63, 63), (64, 64), (64, 64)),
    ],
)
def test_no_upscale(size, resize, bucket):
    dataset = Dataset(resolution=(512, 512), bucket=Bucket(enable=True, no_upscale=True))
    found = fit_picture(size, dataset)
    assert (found.resize, found.bucket) == (resize, bucket)


def test_the_bucket_table_counts_pictures_not_repeats(tmp_path):
    dataset = Dataset(resolution=(512, 512), bucket=Bucket(enable=True))
    pictures = [
        Picture(path=tmp_path / str(i), size=size, caption="", caption_from="folder")
        for i, size in enumerate([(500, 500), (600, 600), (1000, 600)])
    ]
    items = [Item(picture=picture, is_class=False, repeats=20) for picture in pictures]
    assert bucket_table([*items, items[0]], dataset) == {(512, 512): 2, (640, 384): 1}
    assert assign_bucket((1000, 600), dataset) == (640, 384)


sides = st.integers(1, 12_000)
steps = st.integers(1, 32).map(lambda count: count * 64)


@given(size=st.tuples(sides, sides), bucket=st.tuples(steps, steps))
@settings(max_examples=300, deadline=None)
def test_a_fit_covers_its_bucket_and_keeps_the_aspect(size, bucket):
    found = fit(size, bucket)
    left, top, right, bottom = found.crop
    assert found.bucket == bucket
    assert 0 <= left <= right <= found.resize[0]
    assert 0 <= top <= bottom <= found.resize[1]
    assert bucket[0] == found.resize[0] or bucket[1] == found.resize[1]
    assert abs(left - (found.resize[0] - right)) <= 1
    assert abs(top - (found.resize[1] - bottom)) <= 1
    scale = max(bucket[0] / size[0], bucket[1] / size[1])
    assert abs(found.resize[0] - size[0] * scale) <= 1
    assert abs(found.resize[1] - size[1] * scale) <= 1


@given(size=st.tuples(sides, sides), resolution=st.sampled_from([(512, 512), (448, 640), (768, 512)]))
@settings(max_examples=300, deadline=None)
def test_without_enlarging_nothing_grows_that_need_not(size, resolution):
    dataset = Dataset(resolution=resolution, bucket=Bucket(enable=True, no_upscale=True))
    found = fit_picture(size, dataset)
    width, height = found.bucket
    assert width % 64 == height % 64 == 0
    assert min(width, height) >= 64
    assert 0 <= found.crop[0] <= found.crop[2] <= found.resize[0]
    assert 0 <= found.crop[1] <= found.crop[3] <= found.resize[1]
    if min(size) >= 64 and max(size) <= 8 * min(size):
        assert width * height <= resolution[0] * resolution[1]
        assert found.resize[0] <= size[0]
        assert found.resize[1] <= size[1]


NOVELAI = (  # the tutorial's list
    *(
        (256, 1024),
        (320, 1024),
        (384, 1024),
        (384, 960),
        (384, 896),
        (448, 832),
        (512, 768),
        (512, 704),
        (512, 512),
    ),
    *((576, 640), (640, 576), (704, 512), (768, 512), (832, 448), (896, 384), (960, 384), (1024, 384)),
    *((1024, 320), (1024, 256)),
)


@pytest.mark.parametrize("resolution", [(512, 768), (768, 512)])
def test_the_shapes_of_novelai(resolution):
    dataset = Dataset(resolution=resolution, bucket=Bucket(enable=True, shapes="novelai"))
    assert len(NOVELAI) == 19
    assert {assign_bucket(size, dataset) for size in NOVELAI} == set(NOVELAI)
    reached = {assign_bucket((width, 1000), dataset) for width in range(150, 8000, 3)}
    assert reached == set(NOVELAI)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("resolution = [512, 512]", ["512 x 512", "resolution = [512, 768]", 'shapes = "kohya"']),
        ("resolution = [512, 768]\nbucket.step = 128", ["dataset.bucket.step is 128", "multiples of 64"]),
        ("resolution = [512, 768]\nbucket.min_reso = 320", ["dataset.bucket.min_reso", "shapes"]),
    ],
)
def test_the_shapes_of_novelai_are_for_one_resolution(settings, words):
    text = f'schema = 1\n[dataset]\nbucket.enable = true\nbucket.shapes = "novelai"\n{settings}\n'
    with pytest.raises(UserError) as raised:
        parse_config(text, "run.toml")
    assert raised.value.code == ExitCode.CONFIG
    assert len(raised.value.problems) == 1
    for word in words:
        assert word in raised.value.problems[0]


@pytest.mark.parametrize("resolution", [(64, 64), (448, 704), (768, 768), (1024, 576), (4096, 64)])
def test_any_size_in_multiples_of_64_is_a_fixed_size(resolution):
    dataset = parse_config(f"schema = 1\n[dataset]\nresolution = {list(resolution)}", "x").dataset
    assert {assign_bucket(size, dataset) for size in [(64, 64), (3000, 200), (500, 1600)]} == {resolution}
