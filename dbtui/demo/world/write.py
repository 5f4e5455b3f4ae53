"""Folders of drawn pictures, in the layouts that the trainer reads."""

from pathlib import Path

from dbtui.demo.world.scene import SIDE, caption_scene, choose_scene, draw_scene
from dbtui.demo.world.subject import CLASS, draw_subject

SUBJECT_SEEDS = range(1_000_000, 2_000_000)
CLASS_SEEDS = range(2_000_000, 3_000_000)
"""Seeds apart from those of the captioned pictures, which count from 0."""


def write_captioned(folder: Path, count: int, side: int = SIDE, first: int = 0) -> None:
    """Draw the scenes of the seeds from `first` into `folder`, each with its caption in a .txt beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        scene = choose_scene(seed)
        draw_scene(scene, side).save(folder / f"{seed:06d}.png")
        (folder / f"{seed:06d}.txt").write_text(caption_scene(scene, seed) + "\n", encoding="utf-8")


def write_frogs(folder: Path, count: int, *, subject: bool, side: int = SIDE) -> None:
    """Draw `count` pictures into `folder`: of the subject, or of other frogs in every colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        scene = choose_scene(CLASS_SEEDS[number], animal=CLASS)
        picture = draw_subject(SUBJECT_SEEDS[number], side) if subject else draw_scene(scene, side)
        picture.save(folder / f"frog-{number:02d}.png")
