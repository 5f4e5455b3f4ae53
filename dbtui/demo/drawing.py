"""Pictures drawn by code: frogs of many kinds, and one particular frog, which wears a red hat."""

import random
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 96
_OVERSAMPLING = 4

Color = tuple[int, int, int]
_BACKGROUNDS: list[Color] = [(196, 221, 240), (240, 226, 196), (214, 236, 208), (228, 214, 238), (238, 238, 232)]
_SKINS: list[Color] = [(88, 160, 72), (120, 176, 56), (60, 132, 96), (150, 150, 60), (96, 140, 120)]
_SUBJECT_SKIN: Color = (38, 166, 91)
_HAT: Color = (208, 36, 44)


def draw_frog(seed: int, *, subject: bool) -> Image.Image:
    """Return a picture of 96 x 96 pixels, the same for the same seed.

    Place, size and background vary. The subject has one skin colour and the hat; other frogs vary in skin too.
    """
    chance = random.Random(f"{subject}-{seed}")
    side = SIDE * _OVERSAMPLING
    image = Image.new("RGB", (side, side), chance.choice(_BACKGROUNDS))
    draw = ImageDraw.Draw(image)
    size = side * chance.uniform(0.26, 0.36)
    x, y = side * chance.uniform(0.4, 0.6), side * chance.uniform(0.52, 0.66)
    skin = _SUBJECT_SKIN if subject else chance.choice(_SKINS)
    _body(draw, x, y, size, skin)
    if subject:
        _hat(draw, x, y - size * 1.02, size)
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def write_frogs(folder: Path, count: int, *, subject: bool) -> None:
    """Draw `count` pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw_frog(number, subject=subject).save(folder / f"frog-{number:02d}.png")


def _body(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, skin: Color) -> None:
    dark: Color = (skin[0] * 3 // 4, skin[1] * 3 // 4, skin[2] * 3 // 4)
    for sign in (-1, 1):
        _ellipse(draw, x + sign * size * 0.9, y + size * 0.6, size * 0.45, size * 0.25, dark)
    _ellipse(draw, x, y, size, size * 0.75, skin)
    for sign in (-1, 1):
        eye_x, eye_y = x + sign * size * 0.5, y - size * 0.65
        _ellipse(draw, eye_x, eye_y, size * 0.27, size * 0.27, skin)
        _ellipse(draw, eye_x, eye_y, size * 0.18, size * 0.18, (250, 250, 245))
        _ellipse(draw, eye_x, eye_y, size * 0.08, size * 0.12, (20, 24, 20))
    mouth = (x - size * 0.5, y - size * 0.25, x + size * 0.5, y + size * 0.35)
    draw.arc(mouth, 20, 160, fill=(40, 56, 36), width=max(2, int(size * 0.06)))


def _hat(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    draw.polygon([(x - size * 0.42, y), (x + size * 0.42, y), (x, y - size * 0.95)], fill=_HAT)
    _ellipse(draw, x, y, size * 0.62, size * 0.13, _HAT)
    _ellipse(draw, x, y - size * 0.95, size * 0.12, size * 0.12, (250, 250, 245))


def _ellipse(draw: ImageDraw.ImageDraw, x: float, y: float, width: float, height: float, color: Color) -> None:
    draw.ellipse((x - width, y - height, x + width, y + height), fill=color)
