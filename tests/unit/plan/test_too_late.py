"""Settings whose moment lies behind the end of the training are named; the last moment that counts is not."""

import pytest


def told(plan, **tables) -> list[str]:
    """Of a training of 40 steps, 20 a pass."""
    return [note for note in plan(train={"max_steps": 40}, **tables).notes if "the training has 40 steps" in note]


@pytest.mark.parametrize(
    ("table", "setting", "too_late", "in_time"),
    [
        ("save", "every_n_steps", 40, 39),
        ("save", "every_n_epochs", 2, 1),
        ("sample", "every_n_steps", 40, 39),
        ("sample", "every_n_epochs", 2, 1),
        ("text_encoder", "stop_at_step", 40, 39),
        ("text_encoder", "stop_at_epoch", 2, 1),
        ("text_encoder", "stop_at_fraction", 0.99, 0.9),
        ("dataset", "caption_dropout_every_n_epochs", 3, 2),
    ],
)
def test_what_has_no_effect(plan, table, setting, too_late, in_time):
    prompts = {"prompts": [{"prompt": "a frog"}]} if table == "sample" else {}
    (note,) = told(plan, **{table: {setting: too_late, **prompts}})
    assert note == f"{table}.{setting} = {too_late} has no effect: the training has 40 steps"
    assert told(plan, **{table: {setting: in_time, **prompts}}) == []


def test_what_is_still_rising_at_the_end(plan):
    (note,) = told(plan, scheduler={"type": "cosine", "warmup_steps": 40})
    assert note.startswith("scheduler.warmup_steps = 40: the learning rate never gets to its peak")
    assert told(plan, scheduler={"type": "cosine", "warmup_steps": 39}) == []
    assert told(plan, scheduler={"type": "cosine", "warmup_percent": 99}) == []
    (note,) = told(plan, dataset={"token_warmup_steps": 40})
    assert note.startswith("dataset.token_warmup_steps = 40: the last tags are never trained")
    assert told(plan, dataset={"token_warmup_steps": 39}) == told(plan, dataset={"token_warmup_steps": 0.9}) == []
