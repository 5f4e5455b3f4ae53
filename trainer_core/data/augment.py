"""How a picture is varied from step to step: mirrored, cropped elsewhere, turned, recoloured. Pillow only.

Everything is decided by the seed of the sample, so that a step can be repeated.
"""

import math
import random
from dataclasses import dataclass

from PIL import Image

from trainer_core.config.schema import Dataset
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Size
from trainer_core.data.images import check_source, prepare_picture, resized
from trainer_core.data.order import derive_seed

_LUMA = (0.299, 0.587, 0.114)
_I = (0.595716, -0.274453, -0.321263)
_Q = (0.211456, -0.522591, 0.311135)
_TO_RGB = ((1.0, 0.9563, 0.6210), (1.0, -0.2721, -0.6474), (1.0, -1.1070, 1.7046))
_MARGIN = 2
"""Pixels added where a picture is turned, so that rounding brings in no empty corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """What one sample does to its picture; the defaults do nothing.

    Attributes:
        flip: mirror it left to right.
        place: where the crop lies in the room that there is for it, each from 0 to 1; None for the centre.
        angle: degrees by which it is turned counterclockwise.
        hue: degrees by which every hue is turned, from red towards green.
        saturation: factor of the saturation.
        gamma: exponent of the values in 0..1.
        brightness: factor of the values.
    """

    flip: bool = False
    place: tuple[float, float] | None = None
    angle: float = 0.0
    hue: float = 0.0
    saturation: float = 1.0
    gamma: float = 1.0
    brightness: float = 1.0


STILL = Variation()
"""Nothing is varied."""
MIRRORED = Variation(flip=True)


def variation_of(dataset: Dataset, seed: int) -> Variation:
    """Return the variation of the sample whose seed is `seed` under the settings of `dataset`.

    Each kind has its own chance, so that one setting does not change what another one draws.
    """

    def chance(name: str) -> random.Random:
        return random.Random(derive_seed(seed, name))

    place = colour = None
    if dataset.random_crop:
        draw = chance("crop")
        place = draw.random(), draw.random()
    share = dataset.color_aug
    if share:
        colour = chance("color")
    largest = math.log1p(share)
    return Variation(
        flip=dataset.flip_aug and is_mirrored(seed),
        place=place,
        angle=chance("rotate").uniform(-dataset.rotate_aug, dataset.rotate_aug) if dataset.rotate_aug else 0.0,
        hue=180 * colour.uniform(-share, share) if colour else 0.0,
        saturation=1 + colour.uniform(-share, share) if colour else 1.0,
        gamma=math.exp(colour.uniform(-largest, largest)) if colour else 1.0,
        brightness=1 + chance("brightness").uniform(-dataset.brightness_aug, dataset.brightness_aug)
        if dataset.brightness_aug
        else 1.0,
    )


def is_mirrored(seed: int) -> bool:
    """Whether the sample of this seed is mirrored while `flip_aug` is on: every second one by chance."""
    return random.Random(derive_seed(seed, "flip")).random() < 0.5


def varied_picture(image: Image.Image, fit: Fit, variation: Variation = STILL) -> Image.Image:
    """Return `image` (RGB) resized, cropped and varied; its size is the bucket.

    Raises:
        BadPictureError: the picture is not of the size that `fit` was computed for.
    """
    if variation.angle:
        image = _turned(image, fit, variation)
    else:
        image = prepare_picture(image, _placed(fit, variation.place))
    if variation.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if variation.hue or variation.saturation != 1:
        image = image.convert("RGB", _colour_matrix(variation.hue, variation.saturation))
    if variation.gamma != 1 or variation.brightness != 1:
        image = image.point(_tone_curve(variation.gamma, variation.brightness) * 3)
    return image


def _placed(fit: Fit, place: tuple[float, float] | None) -> Fit:
    """Move the crop within the resized picture; each whole place is as likely as the others."""
    if place is None:
        return fit
    left, top = (
        min(int(share * (room + 1)), room)
        for share, room in zip(place, (fit.resize[0] - fit.bucket[0], fit.resize[1] - fit.bucket[1]), strict=True)
    )
    return Fit(source=fit.source, resize=fit.resize, crop=(left, top, left + fit.bucket[0], top + fit.bucket[1]))


def _turned(image: Image.Image, fit: Fit, variation: Variation) -> Image.Image:
    """Turn about the centre of the crop; the picture is enlarged until it covers the turned crop."""
    check_source(image, fit)
    (width, height), angle = fit.bucket, math.radians(variation.angle)
    cos, sin = math.cos(angle), math.sin(angle)
    needed = width * abs(cos) + height * abs(sin) + _MARGIN, width * abs(sin) + height * abs(cos) + _MARGIN
    scale = max(1.0, needed[0] / fit.resize[0], needed[1] / fit.resize[1])
    image = resized(image, (math.ceil(fit.resize[0] * scale), math.ceil(fit.resize[1] * scale)))
    x, y = _centre(image.size, needed, variation.place or (0.5, 0.5))
    inverse = (cos, -sin, x - cos * width / 2 + sin * height / 2, sin, cos, y - sin * width / 2 - cos * height / 2)
    return image.transform(fit.bucket, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)


def _centre(size: Size, needed: tuple[float, float], place: tuple[float, float]) -> tuple[float, float]:
    x, y = (needs / 2 + share * (side - needs) for side, needs, share in zip(size, needed, place, strict=True))
    return x, y


def _colour_matrix(hue: float, saturation: float) -> tuple[float, ...]:
    """The 3 x 4 matrix that turns and scales colours around grey: a rotation in YIQ, where greys and luma stay."""
    angle = math.radians(hue)
    cos, sin = saturation * math.cos(angle), saturation * math.sin(angle)
    rows = []
    for luma, to_i, to_q in _TO_RGB:
        weight_i, weight_q = cos * to_i - sin * to_q, cos * to_q + sin * to_i
        rows += [luma * y + weight_i * i + weight_q * q for y, i, q in zip(_LUMA, _I, _Q, strict=True)] + [0.0]
    return tuple(rows)


def _tone_curve(gamma: float, brightness: float) -> list[int]:
    """Brightness x value ** gamma for each of 256 values."""
    return [min(255, round(255 * brightness * (value / 255) ** gamma)) for value in range(256)]
