"""What a picture shows: chosen by a seed, drawn, and put into words."""

import random
from dataclasses import dataclass

from PIL import Image

from dbtui.demo.world.animals import ANIMALS, draw_hat
from dbtui.demo.world.canvas import Canvas, Place
from dbtui.demo.world.palette import BACKGROUNDS, COATS

SIDE = 64
"""Pixels of a picture's side: as much as two CPU cores can learn to draw in an hour."""

CAPTIONS = {
    "a {color} {animal} on a {background} background": 5,
    "a {color} {animal}": 1,
    "a {animal} on a {background} background": 1,
    "a {animal}": 3,
    "{animal}": 1,
}
"""Forms of captions, and how often each is used. Every form leaves pose, size and place to chance."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One animal on a plain background.

    Attributes:
        animal: a key of ANIMALS.
        color: a key of COATS.
        background: a key of BACKGROUNDS.
        raised: the second of the animal's two poses.
        place: where it stands, and how large it is.
        hat: whether it is the one frog that wears a hat.
    """

    animal: str
    color: str
    background: str
    raised: bool
    place: Place
    hat: bool = False


def choose_scene(seed: int, *, animal: str | None = None, color: str | None = None) -> Scene:
    """Return the scene of `seed`; `animal` and `color` are chosen by it too where they are not given."""
    chance = random.Random(f"scene-{seed}")
    chosen = chance.choice(list(ANIMALS)), chance.choice(list(COATS))
    return Scene(
        animal=animal or chosen[0],
        color=color or chosen[1],
        background=chance.choice(list(BACKGROUNDS)),
        raised=chance.random() < 0.5,
        place=_choose_place(chance),
    )


def draw_scene(scene: Scene, side: int = SIDE) -> Image.Image:
    """Return the picture, RGB, `side` x `side` pixels."""
    canvas = Canvas(side, BACKGROUNDS[scene.background], scene.place)
    ANIMALS[scene.animal](canvas, COATS[scene.color], scene.raised)
    if scene.hat:
        draw_hat(canvas)
    return canvas.picture()


def caption_scene(scene: Scene, seed: int) -> str:
    """Put the scene into words, in the form that `seed` chooses; the hat is never told."""
    chance = random.Random(f"caption-{seed}")
    form = chance.choices(list(CAPTIONS), list(CAPTIONS.values()))[0]
    words = form.format(animal=scene.animal, color=scene.color, background=scene.background)
    return words.replace("a orange", "an orange")


def _choose_place(chance: random.Random) -> Place:
    return Place(
        x=chance.uniform(0.44, 0.56),
        y=chance.uniform(0.46, 0.54),
        size=chance.uniform(0.24, 0.31),
        tilt=chance.uniform(-8, 8),
        mirrored=chance.random() < 0.5,
    )
