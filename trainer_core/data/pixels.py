"""From a picture file to the tensor that the VAE takes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import torch
from torch import Tensor

from trainer_core.config.schema import Dataset
from trainer_core.data.augment import STILL, Variation, variation_of, varied_picture
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item
from trainer_core.data.images import BadPictureError, load_picture
from trainer_core.data.order import Draw
from trainer_core.data.originals import Originals
from trainer_core.data.stand_ins import LostPictureError


def load_pixels(path: Path, fit: Fit, variation: Variation = STILL) -> Tensor:
    """Return the picture resized and cropped by `fit`, and varied, [3, H, W] float32 in -1..1.

    Raises:
        LostPictureError: the file can no longer be read, or its size has changed since the scan (code DATASET).
    """
    try:
        picture = varied_picture(load_picture(path), fit, variation)
    except BadPictureError as error:
        raise LostPictureError(path, str(error)) from error
    values = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32).copy())
    return values.permute(2, 0, 1).contiguous().div_(127.5).sub_(1.0)


def fetch_pixels(
    items: Sequence[Item], fits: Sequence[Fit], dataset: Dataset, originals: Originals | None = None
) -> Callable[[Draw], tuple[Tensor]]:
    """Return what gives the pixels of each sample, varied as `dataset` says.

    With `originals`, a file whose content is not what it was raises LostPictureError too; errors as `load_pixels`.
    """

    def fetch(draw: Draw) -> tuple[Tensor]:
        path, fit = items[draw.item].picture.path, fits[draw.item]
        pixels = load_pixels(path, fit, variation_of(dataset, draw.seed))
        if originals is not None and not originals.is_unchanged(path):  # asked last: nothing changes after reading
            raise LostPictureError(path, "has changed since the training began")
        return (pixels,)

    return fetch
