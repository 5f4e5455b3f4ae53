"""The model in the package draws what it is told, told by a plain rule about colours."""

from collections import Counter
from importlib import resources

import pytest
import torch
from PIL import Image

from dbtui.demo.files import MODEL_FILE
from dbtui.demo.world.palette import BACKGROUNDS, COATS, Color
from dbtui.demo.world.scene import SIDE
from trainer_core.config.schema import Model, Prompt
from trainer_core.models.load import load_model
from trainer_core.train.preview import draw_together

PICTURES = 6
WANTED = [("red", "blue"), ("yellow", "green")]
SHIPPED = resources.files("dbtui.demo") / "model" / MODEL_FILE


def nearest(color: Color, named: dict[str, Color]) -> str:
    return min(named, key=lambda name: sum((a - b) ** 2 for a, b in zip(color, named[name], strict=True)))


def told(picture: Image.Image) -> tuple[str, str]:
    """The colour of what stands in the middle, and of what it stands before."""
    edge = [picture.getpixel((at, side)) for at in range(SIDE) for side in (1, SIDE - 2)]
    ground = nearest(tuple(sorted(channel)[SIDE] for channel in zip(*edge, strict=True)), BACKGROUNDS)
    inside = [picture.getpixel((x, y)) for x in range(16, 48) for y in range(16, 48)]
    ground_too = {**COATS, "ground": BACKGROUNDS[ground]}
    seen = Counter(nearest(pixel, ground_too) for pixel in inside)
    del seen["ground"]
    return seen.most_common(1)[0][0], ground


@pytest.fixture(scope="module")
def drawn():
    """Pictures of each of WANTED, all from one call."""
    prompts = [
        Prompt(prompt=f"a {coat} frog on a {ground} background", seed=seed, steps=20, guidance_scale=4)
        for coat, ground in WANTED
        for seed in range(PICTURES)
    ]
    with resources.as_file(SHIPPED) as path:
        model = load_model(Model(base=str(path)))
    off = torch.autocast("cpu", enabled=False)
    pictures = draw_together(model, prompts, (SIDE, SIDE), torch.device("cpu"), clip_skip=None, autocast=off)
    return dict(zip(WANTED, (pictures[:PICTURES], pictures[PICTURES:]), strict=True))


@pytest.mark.parametrize("wanted", WANTED)
def test_a_frog_has_its_colour_and_its_background(drawn, wanted):
    seen = [told(picture) for picture in drawn[wanted]]
    assert sum(coat == wanted[0] for coat, _ in seen) >= PICTURES - 1, seen
    assert sum(ground == wanted[1] for _, ground in seen) >= PICTURES - 1, seen


def test_it_is_small_enough_to_ship():
    with resources.as_file(SHIPPED) as path:
        assert path.stat().st_size < 16_000_000
