"""The drawn world: one picture for a seed, captions that tell what is seen, a subject that it does not hold."""

import re
from collections import Counter

import pytest
from PIL import Image

from dbtui.demo.world.animals import ANIMALS
from dbtui.demo.world.palette import BACKGROUNDS, COATS, HAT
from dbtui.demo.world.scene import SIDE, caption_scene, choose_scene, draw_scene
from dbtui.demo.world.subject import draw_subject
from dbtui.demo.world.write import write_captioned, write_frogs
from trainer_core.data.duplicates import find_near_copies
from trainer_core.data.quality import likeness

SEEDS = range(60)


def colors_of(picture):
    return {color for _, color in picture.getcolors(SIDE * SIDE)}


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_seed_gives_the_same_files_and_another_gives_others(tmp_path):
    for name, first in (("one", 0), ("again", 0), ("other", 50)):
        write_captioned(tmp_path / name, 8, first=first)
    one, again, other = (files_of(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again
    assert len({*one.values()} & {content for name, content in other.items() if name.endswith(".png")}) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_picture_shows_what_its_scene_says(seed):
    scene = choose_scene(seed)
    picture = draw_scene(scene)
    assert picture.size == (SIDE, SIDE)
    border = {picture.getpixel((x, y)) for x in range(SIDE) for y in (0, SIDE - 1)}
    border |= {picture.getpixel((x, y)) for y in range(SIDE) for x in (0, SIDE - 1)}
    assert border == {BACKGROUNDS[scene.background]}  # so nothing of the animal is cut off
    counts = Counter({color: count for count, color in picture.getcolors(SIDE * SIDE)})
    shown = {name for name, color in COATS.items() if counts[color]}
    assert shown == {scene.color}
    assert 0.06 < 1 - counts[BACKGROUNDS[scene.background]] / SIDE**2 < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_caption_tells_nothing_but_what_is_there(seed):
    scene = choose_scene(seed)
    words = re.fullmatch(r"(?:an? )?(?:(\w+) )?(\w+)(?: on a (\w+) background)?", caption_scene(scene, seed))
    color, animal, background = words.groups()
    assert animal == scene.animal
    assert color in (None, scene.color)
    assert background in (None, scene.background)


def test_the_world_is_varied():
    scenes = [choose_scene(seed) for seed in range(300)]
    assert {scene.animal for scene in scenes} == set(ANIMALS)
    assert {scene.color for scene in scenes} == set(COATS)
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert {scene.raised for scene in scenes} == {True, False}
    captions = [caption_scene(scene, seed) for seed, scene in enumerate(scenes)]
    assert captions.count("a frog") > 5
    assert sum("background" in caption for caption in captions) > 100


def test_every_animal_and_pose_looks_different():
    drawn = {
        draw_scene(choose_scene(seed, animal=animal, color="red")).tobytes()
        for animal in ANIMALS
        for seed in (1, 2)
    }
    assert len(drawn) == 2 * len(ANIMALS)


def test_only_the_subject_wears_a_hat(tmp_path):
    write_frogs(tmp_path / "subject", 6, subject=True)
    write_frogs(tmp_path / "class", 24, subject=False)
    assert len(list((tmp_path / "subject").iterdir())) == 6
    assert len({*files_of(tmp_path / "class").values()}) == 24
    looks = {path: likeness(Image.open(path).convert("L")) for path in sorted(tmp_path.glob("*/*.png"))}
    assert find_near_copies(looks) == {}  # or the demo would begin with a warning
    for number in range(6):
        assert {HAT, COATS["green"]} <= colors_of(draw_subject(number))
    for seed in range(200):
        assert HAT not in colors_of(draw_scene(choose_scene(seed, animal="frog")))
