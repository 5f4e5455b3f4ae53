"""Which models will be written, and how many exist together."""

import itertools

import pytest

from trainer_core.config.schema import Config
from trainer_core.data.order import TrainingOrder
from trainer_core.models.sniff import ModelInfo
from trainer_core.saves import planned_saves
from trainer_core.train.naming import epoch_name, step_name

MODEL = ModelInfo("m.ckpt", None, "ckpt", "sd1", "epsilon", "")


def saves(total: int, epoch: int = 10, **tables):
    order = TrainingOrder(buckets={(64, 64): list(range(epoch))}, batch_size=1, accumulation=1, seed=0)
    return planned_saves(Config.model_validate({"schema": 1, **tables}), MODEL, order, total)


def by_hand(
    total: int, epoch: int, every_n_steps: int | None, every_n_epochs: int | None
) -> list[tuple[int, str]]:
    """What the trainer does after each step but the last (`Session.between_steps`)."""
    names = []
    for step in range(1, total):
        if every_n_epochs and step % (every_n_epochs * epoch) == 0:
            names.append((step, epoch_name(None, step // epoch)))
        if every_n_steps and step % every_n_steps == 0:
            names.append((step, step_name(None, step)))
    return names


@pytest.mark.parametrize(
    ("total", "epoch", "steps", "epochs"),
    list(itertools.product((1, 20, 61), (1, 4, 7), (None, 1, 6, 20), (None, 1, 3))),
)
def test_counts_and_names_are_those_of_the_training(total, epoch, steps, epochs):
    table = {name: n for name, n in (("every_n_steps", steps), ("every_n_epochs", epochs)) if n}
    planned, names = saves(total, epoch, save=table), by_hand(total, epoch, steps, epochs)
    assert planned.on_the_way == len(names)
    assert planned.moments == len({step for step, _ in names})
    assert planned.first == tuple(f"{name}.ckpt" for _, name in names[:3])


@pytest.mark.parametrize(("keep", "at_once"), [(None, 5), (1, 2), (3, 4), (9, 5)])
def test_keep_last_bounds_what_exists_together(keep, at_once):
    table = {"every_n_steps": 10} | ({"keep_last": keep} if keep else {})
    assert saves(50, save=table).at_once == at_once


def test_the_finished_model_has_the_name_and_ending_asked_for():
    assert saves(10).final == "last.ckpt"
    assert saves(10, save={"output_name": "frog", "format": "safetensors"}).final == "frog.safetensors"
    assert saves(10, save={"format": "diffusers"}).final == "last/"


def test_ten_million_saves_take_no_time():
    assert saves(10**7, save={"every_n_steps": 1}).on_the_way == 10**7 - 1


def test_previews_are_drawn_before_on_the_way_and_at_the_end():
    sample = {"prompts": [{"prompt": "frog"}], "every_n_steps": 10, "before_training": True}
    assert saves(40, sample=sample).draws == 1 + 3 + 1
    assert saves(40).draws == 0


@pytest.mark.parametrize(("steps", "epochs"), itertools.product((None, 6, 10), (None, 1, 3)))
@pytest.mark.parametrize(("sample_steps", "sample_epochs"), itertools.product((None, 4), (None, 2)))
def test_previews_after_saves_are_drawn_once_a_step(steps, epochs, sample_steps, sample_epochs):
    save = {"every_n_steps": steps, "every_n_epochs": epochs}
    sample = {"every_n_steps": sample_steps, "every_n_epochs": sample_epochs, "after_save": True}
    tables = {"save": save, "sample": {**sample, "prompts": [{"prompt": "frog"}] * 2, "num_per_prompt": 3}}
    intervals = [steps, sample_steps, *(7 * n for n in (epochs, sample_epochs) if n)]
    due = {step for step in range(1, 61) if any(n and step % n == 0 for n in intervals)}
    planned = saves(61, epoch=7, **tables)
    assert planned.draws == len(due) + 1
    assert planned.pictures == 6
