"""Folders of drawn pictures, in the layouts that the trainer reads."""

from pathlib import Path

from dbtui.demo.world.scene import SIDE, caption_scene, choose_scene, draw_scene
from dbtui.demo.world.subject import CLASS, draw_subject

SUBJECT_SEEDS = range(1_000_000, 2_000_000)
CLASS_SEEDS = range(2_000_000, 3_000_000)
"""Seeds apart from those of the captioned pictures, which count from 0."""
_ALIKE = frozenset({3, 6, 12, 17, 19, 21, 24, 27, 31, 32})
"""Which of the first class pictures have the pose, size and place of an earlier one: a scan would say so."""


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
    different = (seed for number, seed in enumerate(CLASS_SEEDS) if number not in _ALIKE)
    for number, seed in zip(range(count), different, strict=False):
        scene = choose_scene(seed, animal=CLASS)
        picture = draw_subject(SUBJECT_SEEDS[number], side) if subject else draw_scene(scene, side)
        picture.save(folder / f"frog-{number:02d}.png")
