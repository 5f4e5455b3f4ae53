"""From a picture file to the tensor that the VAE takes."""

from pathlib import Path

import numpy
import torch
from torch import Tensor

from trainer_core.data.buckets import Fit
from trainer_core.data.images import BadPictureError, load_picture, prepare_picture
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def load_pixels(path: Path, fit: Fit) -> Tensor:
    """Return the picture resized and cropped by `fit`, [3, H, W] float32 in -1..1.

    Raises:
        UserError: the file can no longer be read or has changed since the scan (code DATASET).
    """
    try:
        picture = prepare_picture(load_picture(path), fit)
    except BadPictureError as error:
        raise UserError(f"{safe_text(path)}: {error}", ExitCode.DATASET) from error
    values = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32).copy())
    return values.permute(2, 0, 1).contiguous().div_(127.5).sub_(1.0)
