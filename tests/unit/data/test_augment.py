"""Variations: what the seed of a sample decides, and what becomes of a picture."""

import colorsys
from dataclasses import replace

import numpy
import pytest
from PIL import Image, ImageDraw

from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Dataset
from trainer_core.data.augment import STILL, Variation, variation_of, varied_picture
from trainer_core.data.buckets import fit
from trainer_core.data.images import BadPictureError, prepare_picture
from trainer_core.errors import ExitCode, UserError

EVERYTHING = {
    "flip_aug": True,
    "random_crop": True,
    "color_aug": 0.1,
    "brightness_aug": 0.2,
    "rotate_aug": 10.0,
}


def noise(size, seed=0) -> Image.Image:
    values = numpy.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    return Image.fromarray(values)


def differences(one: Variation, other: Variation) -> set[str]:
    return {name for name in Variation.__slots__ if getattr(one, name) != getattr(other, name)}


def test_nothing_varies_by_default():
    assert all(variation_of(Dataset(), seed) == STILL for seed in range(20))
    picture = noise((90, 70))
    plain = prepare_picture(picture, fit((90, 70), (64, 64)))
    assert varied_picture(picture, fit((90, 70), (64, 64))).tobytes() == plain.tobytes()


def test_a_seed_decides_everything_and_the_values_stay_within_their_ranges():
    dataset = Dataset(**EVERYTHING)
    seen = [variation_of(dataset, seed) for seed in range(400)]
    assert seen == [variation_of(dataset, seed) for seed in range(400)]
    assert len(set(seen)) == 400
    assert 150 < sum(each.flip for each in seen) < 250
    for name, low, high in (
        ("angle", -10, 10),
        ("hue", -18, 18),
        ("saturation", 0.9, 1.1),
        ("gamma", 1 / 1.1, 1.1),
        ("brightness", 0.8, 1.2),
    ):
        values = [getattr(each, name) for each in seen]
        assert low <= min(values) < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < max(values) <= high, name
    places = numpy.array([each.place for each in seen])
    assert places.min() < 0.02
    assert places.max() > 0.98
    assert abs(numpy.corrcoef(places.T)[0, 1]) < 0.2


@pytest.mark.parametrize("name", EVERYTHING)
def test_one_setting_does_not_change_what_another_draws(name):
    without = Dataset(**{key: value for key, value in EVERYTHING.items() if key != name})
    own = {
        "flip_aug": {"flip"},
        "random_crop": {"place"},
        "color_aug": {"hue", "saturation", "gamma"},
        "brightness_aug": {"brightness"},
        "rotate_aug": {"angle"},
    }[name]
    for seed in range(10):
        assert differences(variation_of(without, seed), variation_of(Dataset(**EVERYTHING), seed)) <= own


def test_a_random_crop_is_a_part_of_the_resized_picture_and_reaches_every_place():
    picture, target = noise((100, 64)), fit((100, 64), (64, 64))
    whole = numpy.asarray(picture)
    seen = set()
    for seed in range(600):
        variation = variation_of(Dataset(random_crop=True), seed)
        crop = numpy.asarray(varied_picture(picture, target, variation))
        left = next(x for x in range(37) if numpy.array_equal(whole[:, x : x + 64], crop))
        seen.add(left)
    assert seen == set(range(37))


def test_a_mirrored_picture_is_the_crop_mirrored():
    picture, target = noise((101, 64)), fit((101, 64), (64, 64))
    plain = numpy.asarray(varied_picture(picture, target))
    assert numpy.array_equal(numpy.asarray(varied_picture(picture, target, Variation(flip=True))), plain[:, ::-1])


@pytest.mark.parametrize("size", [(64, 64), (200, 64), (64, 200), (300, 210)])
@pytest.mark.parametrize("angle", [-45.0, -3.0, 0.4, 17.0, 45.0])
@pytest.mark.parametrize("place", [None, (0.0, 0.0), (1.0, 0.0), (0.99, 1.0)])
def test_a_turned_picture_has_no_empty_corner(size, angle, place):
    white = Image.new("RGB", size, "white")
    turned = varied_picture(white, fit(size, (64, 128)), Variation(angle=angle, place=place))
    assert turned.size == (64, 128)
    assert turned.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize("angle", [-30.0, 5.0, 20.0])
def test_a_turned_picture_is_turned_by_the_angle_and_not_distorted(angle):
    picture = Image.new("RGB", (400, 300), "black")
    ImageDraw.Draw(picture).rectangle((160, 145, 240, 155), fill="white")
    turned = varied_picture(picture, fit((400, 300), (256, 192)), Variation(angle=angle))
    y, x = numpy.nonzero(numpy.asarray(turned.convert("L")) > 127)
    assert (x.mean(), y.mean()) == pytest.approx((127.5, 95.5), abs=1)
    values, vectors = numpy.linalg.eigh(numpy.cov(x, y))
    longest = vectors[:, 1] * numpy.sign(vectors[0, 1])
    assert numpy.degrees(numpy.arctan2(-longest[1], longest[0])) == pytest.approx(angle, abs=1.5)
    assert (values[1] / values[0]) ** 0.5 == pytest.approx(81 / 11, rel=0.15)  # the sides keep their ratio


def test_colours_are_turned_around_grey():
    target = fit((64, 64), (64, 64))
    ramp = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    turned = varied_picture(ramp, target, Variation(hue=90, saturation=1.5))
    assert numpy.abs(numpy.asarray(turned).astype(int) - numpy.asarray(ramp)).max() <= 1
    colour = Image.new("RGB", (64, 64), (150, 90, 110))
    for degrees in (-60, 25, 60):
        pixel = varied_picture(colour, target, Variation(hue=degrees)).getpixel((0, 0))
        before = colorsys.rgb_to_hsv(150 / 255, 90 / 255, 110 / 255)[0] * 360
        after = colorsys.rgb_to_hsv(*(value / 255 for value in pixel))[0] * 360
        assert (after - before + 180) % 360 - 180 == pytest.approx(
            degrees, abs=20
        )  # HSV's circle is no circle here
        luma = sum(weight * value for weight, value in zip((0.299, 0.587, 0.114), pixel, strict=True))
        assert luma == pytest.approx(0.299 * 150 + 0.587 * 90 + 0.114 * 110, abs=1.5)
    grey = varied_picture(colour, target, Variation(saturation=0.0)).getpixel((0, 0))
    assert max(grey) - min(grey) <= 1


def test_gamma_and_brightness_follow_their_formula():
    picture, target = noise((64, 64)), fit((64, 64), (64, 64))
    found = varied_picture(picture, target, Variation(gamma=1.3, brightness=0.8))
    expected = numpy.clip(0.8 * (numpy.asarray(picture) / 255.0) ** 1.3, 0, 1) * 255
    assert numpy.abs(numpy.asarray(found) - expected).max() <= 0.51


def test_a_picture_that_changed_is_refused_however_it_is_varied():
    target = fit((64, 64), (64, 64))
    for variation in (STILL, Variation(angle=3), replace(STILL, place=(0.1, 0.1))):
        with pytest.raises(BadPictureError, match="has changed"):
            varied_picture(noise((65, 64)), target, variation)


@pytest.mark.parametrize("kept", ["ram", "disk"])
def test_what_makes_new_pixels_is_refused_with_cached_latents_all_at_once(kept):
    text = "schema = 1\n[dataset]\n" + "".join(
        f"{name} = {str(value).lower()}\n" for name, value in EVERYTHING.items()
    )
    with pytest.raises(UserError) as raised:
        parse_config(f'{text}cache_latents = "{kept}"\n', "run.toml")
    assert raised.value.code == ExitCode.CONFIG
    assert len(raised.value.problems) == 4
    for name, problem in zip(
        ("random_crop", "color_aug", "brightness_aug", "rotate_aug"), raised.value.problems, strict=True
    ):
        assert f"dataset.{name}" in problem
        assert 'set dataset.cache_latents = "off"' in problem
    assert parse_config(f'{text}cache_latents = "off"\n', "run.toml").dataset.rotate_aug == 10
    assert parse_config(f'schema = 1\n[dataset]\nflip_aug = true\ncache_latents = "{kept}"', "x").dataset.flip_aug
