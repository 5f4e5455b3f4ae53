"""Features of a picture of the drawn world that need no training: where it has which of the coats' colours.

Green over the body and red above it are the subject. Backgrounds, which are pale, count for nothing.
"""

from collections.abc import Sequence

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from dbtui.demo.world.palette import BACKGROUNDS, BLACK, COATS, WHITE

BANDS = 4
"""A picture is cut into so many, from top to bottom."""
_COLORS = torch.tensor([*COATS.values(), *BACKGROUNDS.values(), WHITE, BLACK], dtype=torch.float32)


@torch.no_grad()
def see_coats(pictures: Sequence[Image.Image]) -> Tensor:
    """Return [n, BANDS * coats]: the share of each band's pixels that each coat's colour is nearest to."""
    stacked = torch.from_numpy(numpy.stack([numpy.asarray(picture.convert("RGB")) for picture in pictures]))
    count, height, width, _ = stacked.shape
    nearest = torch.cdist(stacked.float().reshape(count, height * width, 3), _COLORS).argmin(dim=-1)
    shares = F.one_hot(nearest, len(_COLORS)).float().reshape(count, BANDS, -1, len(_COLORS)).mean(dim=2)
    return shares[:, :, : len(COATS)].flatten(1)
