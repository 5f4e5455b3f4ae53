"""The subject that the drawn world does not hold: one particular frog, green, in a red hat; "sls frog"."""

from dataclasses import replace

from PIL import Image

from dbtui.demo.world.canvas import Place
from dbtui.demo.world.scene import SIDE, Scene, choose_scene, draw_scene

IDENTIFIER, CLASS = "sls", "frog"
COLOR = "green"


def subject_scene(seed: int) -> Scene:
    """Return the subject in a scene of `seed`: smaller and lower than other animals, so that its hat is seen."""
    scene = choose_scene(seed, animal=CLASS, color=COLOR)
    place = scene.place
    lower = Place(x=place.x, y=place.y + 0.14, size=place.size * 0.85, tilt=place.tilt, mirrored=place.mirrored)
    return replace(scene, place=lower, hat=True)


def draw_subject(seed: int, side: int = SIDE) -> Image.Image:
    """Return a picture of the subject, RGB, `side` x `side` pixels."""
    return draw_scene(subject_scene(seed), side)
