"""benchmarks/learning.py: its cases are the trainings that they say, and its numbers tell what they claim."""

import importlib
from pathlib import Path

import pytest
import torch

from dbtui.demo.world.animals import ANIMALS
from dbtui.demo.world.scene import choose_scene, draw_scene
from dbtui.demo.world.subject import draw_subject
from trainer_core.data.scan import scan_dataset

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
HELD_OUT = 9_000_000


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize(
    ("method", "text"),
    [("full", "sls frog"), ("lora", "sls frog"), ("hybrid", "sls on a "), ("finetune", "a sls frog on a ")],
)
def test_each_case_trains_its_words_on_its_pictures(load, tmp_path, method, text):
    cases = load("learning_cases")
    cases.write_pictures(tmp_path)
    for prior in {False, cases.METHODS[method].takes_class_pictures}:
        case = cases.Case(method, 0.25, prior)
        config = cases.run_config(case, tmp_path, tmp_path / "m.safetensors", steps=7, seed=3)
        assert (config.optimizer.learning_rate, config.train.max_steps, config.train.seed) == (0.25, 7, 3)
        assert config.method.train == ("lora" if method == "lora" else "full")
        scan = scan_dataset(config.dataset, config.concept, method=config.method.captions)
        captions = [picture.caption for folder in scan.train for picture in folder.pictures]
        assert len(captions) == cases.SUBJECT_PICTURES
        assert all(caption.startswith(text) for caption in captions), captions
        assert bool(config.dataset.reg_dir) == prior


def test_the_numbers_tell_the_subject_from_its_class_and_drift_from_none(load, monkeypatch):
    measuring, judging = load("learning_measure"), load("world_judge")
    torch.manual_seed(0)
    frogs = [draw_scene(choose_scene(HELD_OUT + number, animal="frog")) for number in range(8)]
    cats = [draw_scene(choose_scene(HELD_OUT + number, animal="cat")) for number in range(8)]
    subject = [draw_subject(HELD_OUT + number) for number in range(8)]
    monkeypatch.setattr(measuring, "draw", lambda model, prompts: model["sls" if "sls" in prompts[0] else "frog"])
    measure = measuring.Measure(judging.Judge(), {"frog": frogs}, pictures=8)
    learned = measure.of({"sls": subject, "frog": frogs})
    nothing = measure.of({"sls": frogs, "frog": frogs})
    spoilt = measure.of({"sls": subject, "frog": cats})
    assert learned.fidelity == spoilt.fidelity > 0 > nothing.fidelity
    assert learned.drift == pytest.approx(0, abs=1e-5)
    assert spoilt.drift > 0.1


@pytest.mark.slow
def test_the_judge_knows_the_drawn_world(load):
    judging = load("world_judge")
    scenes = [judging.judged_scene(HELD_OUT + number) for number in range(200)]
    told = judging.train_judge().tell([draw_scene(scene) for scene in scenes])
    assert {scene.animal for scene in scenes} == {*ANIMALS}
    for name in ("animal", "color", "background"):
        wrong = [each for scene, each in zip(scenes, told, strict=True) if getattr(scene, name) != each[name]]
        assert len(wrong) <= 4, name
    assert sum(scene.hat == (each["hat"] == "hat") for scene, each in zip(scenes, told, strict=True)) >= 196
