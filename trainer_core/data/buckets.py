"""Sizes that pictures are trained at: one size, or aspect-ratio buckets. Arithmetic only.

The list and the choice are those of kohya's sd-scripts, so that a dataset lands in the same buckets here. There is
NovelAI's list for 512 x 768, too.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from trainer_core.config.schema import Dataset
from trainer_core.data.dataset import Item, Size
from trainer_core.errors import ExitCode, UserError

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a picture becomes its bucket: resized as a whole, then cropped.

    Attributes:
        source: size of the picture that this was computed for.
        resize: size after resizing.
        crop: the part of the resized picture that is kept; its size is the bucket.
    """

    source: Size
    resize: Size
    crop: Box

    @property
    def bucket(self) -> Size:
        """Size of the result."""
        left, top, right, bottom = self.crop
        return right - left, bottom - top


@cache
def bucket_sizes(resolution: Size, min_reso: int, max_reso: int, step: int) -> tuple[Size, ...]:
    """List the buckets of `resolution`'s area, sorted; their sides are multiples of `step`.

    Args:
        resolution: width and height whose product no bucket exceeds.
        min_reso: shortest side, rounded down to a multiple of `step`.
        max_reso: longest side, rounded up to a multiple of `step`.
        step: what sides are multiples of.

    Raises:
        UserError: the settings leave no room (code CONFIG), with every problem.
    """
    if problems := _problems(resolution, min_reso, max_reso, step):
        raise UserError(problems, ExitCode.CONFIG)
    area = resolution[0] * resolution[1]
    smallest, largest = max(step, min_reso // step * step), -(-max_reso // step) * step
    square = math.isqrt(area) // step * step
    sizes = {(square, square)}
    for width in range(smallest, largest + 1, step):
        height = min(largest, area // width // step * step)
        if height >= smallest:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


@cache
def novelai_sizes() -> tuple[Size, ...]:
    """List NovelAI's 19 buckets, sorted: those of 512 x 768 with its own square, 512 x 512, for the area's."""
    listed = bucket_sizes((512, 768), 256, 1024, 64)
    return tuple(sorted({(512, 512), *(size for size in listed if size[0] != size[1])}))


def fit(size: Size, bucket: Size) -> Fit:
    """Scale `size` to cover `bucket` and keep the centre."""
    (width, height), (bucket_width, bucket_height) = size, bucket
    if width * bucket_height > bucket_width * height:
        resize = _rounded(bucket_height * width, height), bucket_height
    else:
        resize = bucket_width, _rounded(bucket_width * height, width)
    return _crop_centre(size, resize, bucket)


def fit_picture(size: Size, dataset: Dataset) -> Fit:
    """Say what happens to a picture of `size` under the settings of `dataset`.

    Raises:
        UserError: the bucket settings contradict each other (code CONFIG).
    """
    if not dataset.bucket.enable:
        return fit(size, dataset.resolution)
    if dataset.bucket.no_upscale:
        return _fit_without_enlarging(size, dataset.resolution, dataset.bucket.step)
    return fit(size, nearest_bucket(size, _listed(dataset)))


def assign_bucket(size: Size, dataset: Dataset) -> Size:
    """The size at which a picture of `size` is trained; errors as `fit_picture`."""
    return fit_picture(size, dataset).bucket


def bucket_table(items: Iterable[Item], dataset: Dataset) -> dict[Size, int]:
    """Count the different pictures of `items` in each bucket, sorted by bucket; errors as `fit_picture`."""
    sizes = {item.picture.path: item.picture.size for item in items}
    counts = Counter(assign_bucket(size, dataset) for size in sizes.values())
    return dict(sorted(counts.items()))


def nearest_bucket(size: Size, sizes: tuple[Size, ...]) -> Size:
    """Choose the bucket of `size`: the same size if it is there, else the first of nearest width / height."""
    if size in sizes:
        return size
    aspect = size[0] / size[1]
    return min(sizes, key=lambda bucket: abs(bucket[0] / bucket[1] - aspect))


def _listed(dataset: Dataset) -> tuple[Size, ...]:
    bucket = dataset.bucket
    if bucket.shapes == "novelai":
        return novelai_sizes()
    return bucket_sizes(dataset.resolution, bucket.min_reso, bucket.max_reso, bucket.step)


def _fit_without_enlarging(size: Size, resolution: Size, step: int) -> Fit:
    resize = _shrunk_to_area(size, resolution[0] * resolution[1], step)
    bucket = _down(resize[0], step), _down(resize[1], step)
    if min(bucket) >= step:
        return _crop_centre(size, resize, bucket)
    return fit(size, (max(step, bucket[0]), max(step, bucket[1])))  # a side shorter than a step must grow to one


def _shrunk_to_area(size: Size, area: int, step: int) -> Size:
    """Scale `size` down to `area` such that one side is a multiple of `step`, changing the aspect least."""
    width, height = size
    if width * height <= area:
        return size
    aspect = width / height
    exact_width = math.sqrt(area * aspect)
    by_width = max(step, _down(_round_half_up(exact_width), step))
    by_height = max(step, _down(_round_half_up(area / exact_width), step))
    height_of_width = max(step, _down(_round_half_up(by_width / aspect), step))
    width_of_height = max(step, _down(_round_half_up(by_height * aspect), step))
    if abs(by_width / height_of_width - aspect) < abs(width_of_height / by_height - aspect):
        return by_width, _rounded(by_width * height, width)
    return _rounded(by_height * width, height), by_height


def _crop_centre(size: Size, resize: Size, bucket: Size) -> Fit:
    left, top = (resize[0] - bucket[0]) // 2, (resize[1] - bucket[1]) // 2
    return Fit(source=size, resize=resize, crop=(left, top, left + bucket[0], top + bucket[1]))


def _problems(resolution: Size, min_reso: int, max_reso: int, step: int) -> list[str]:
    shorter, longer = min(resolution), max(resolution)
    problems = []
    if min_reso // step * step > shorter:
        problems.append(
            f"dataset.bucket.min_reso = {min_reso} is over the shorter side of dataset.resolution ({shorter}): "
            "lower one or raise the other"
        )
    if -(-max_reso // step) * step < longer:
        problems.append(
            f"dataset.bucket.max_reso = {max_reso} is under the longer side of dataset.resolution ({longer}): "
            "raise one or lower the other"
        )
    if step > shorter:
        problems.append(
            f"dataset.bucket.step = {step} is over the shorter side of dataset.resolution ({shorter}): "
            "64 is the usual step"
        )
    return problems


def _down(value: int, step: int) -> int:
    return value // step * step


def _round_half_up(value: float) -> int:
    """Round to the nearest whole number, halves up."""
    return int(value + 0.5)


def _rounded(numerator: int, denominator: int) -> int:
    """The quotient rounded half up, exactly."""
    return (2 * numerator + denominator) // (2 * denominator)
