"""What the VAE learns from: the drawn world, part of it with shapes strewn over it, and never the subject.

The shapes make it a VAE for more than the world: it can show a hat that no picture it learned from has.
"""

import random

import numpy
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dbtui.demo.world.scene import SIDE, choose_scene, draw_scene

SHARE_STREWN = 0.4
MOST_SHAPES = 5
_OVERSAMPLING = 2


def draw_pictures(count: int, first: int, side: int = SIDE) -> Tensor:
    """Return the pictures of the seeds from `first`, uint8 [count, 3, side, side]."""
    return torch.stack([_as_tensor(_draw(seed, side)) for seed in range(first, first + count)])


def as_input(pictures: Tensor) -> Tensor:
    """Return pictures (uint8) as the VAE reads them: float32 in -1..1."""
    return pictures.float() / 127.5 - 1


def _draw(seed: int, side: int) -> Image.Image:
    chance = random.Random(f"vae-{seed}")
    picture = draw_scene(choose_scene(seed), side * _OVERSAMPLING)
    if chance.random() < SHARE_STREWN:
        draw = ImageDraw.Draw(picture)
        for _ in range(chance.randint(1, MOST_SHAPES)):
            _strew(draw, chance, side * _OVERSAMPLING)
    return picture.resize((side, side), Image.Resampling.BOX)


def _strew(draw: ImageDraw.ImageDraw, chance: random.Random, side: int) -> None:
    color = tuple(chance.choice((chance.randint(0, 255), 16, 250)) for _ in range(3))
    x, y = chance.uniform(0, side), chance.uniform(0, side)
    width, height = side * chance.uniform(0.03, 0.2), side * chance.uniform(0.03, 0.2)
    if chance.random() < 0.5:
        draw.ellipse((x - width, y - height, x + width, y + height), fill=color)
    else:
        turned = [(x + chance.uniform(-1, 1) * width, y + chance.uniform(-1, 1) * height) for _ in range(3)]
        draw.polygon(turned, fill=color)


def _as_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(numpy.asarray(picture).copy()).permute(2, 0, 1)
