from typing import get_args

import pytest

from dbtui.presets.offer import offers
from dbtui.wizard.costs import costs
from dbtui.wizard.draft import GOALS, Draft
from dbtui.wizard.goals import GOAL_FACTS, choose_goal, choose_train
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle
from trainer_core.config.schema import Method


@pytest.mark.parametrize(
    ("goal", "captions"),
    [("thing", "dreambooth"), ("character", "hybrid"), ("style", "hybrid"), ("dataset", "finetune")],
)
def test_what_a_goal_answers(goal, captions):
    draft = Draft()
    choose_goal(draft, goal)
    assert (draft.goal, draft.get("method.captions")) == (goal, captions)


def test_every_goal_has_its_facts_and_a_caption_method_of_the_schema():
    assert tuple(GOAL_FACTS) == GOALS
    for facts in GOAL_FACTS.values():
        assert facts.captions in get_args(Method.model_fields["captions"].annotation)


def test_another_goal_keeps_everything_else_and_what_was_answered_comes_back():
    draft = Draft()
    draft.concept()["identifier"] = "sls"
    draft.set("train.max_steps", 700)
    choose_goal(draft, "thing")
    draft.set("method.captions", "hybrid")  # in the training step
    choose_goal(draft, "thing")
    assert draft.get("method.captions") == "hybrid"
    choose_goal(draft, "dataset")
    assert draft.get("method.captions") == "finetune"
    choose_goal(draft, "thing")
    assert draft.get("method.captions") == "hybrid"
    assert draft.concepts == [{"identifier": "sls"}]
    assert draft.get("train.max_steps") == 700


def test_a_preset_and_learning_rate_of_the_other_kind_wait():
    draft = Draft(preset="sd15-12gb")
    draft.set("optimizer.learning_rate", 2e-6)
    draft.set("network.rank", 4)
    choose_train(draft, "lora")
    assert (draft.preset, draft.get("optimizer.learning_rate"), draft.get("network.rank")) == ("", None, 4)
    draft.preset = "sd15-lora-8gb"
    choose_train(draft, "lora")
    assert draft.preset == "sd15-lora-8gb"
    choose_train(draft, "full")
    assert (draft.preset, draft.get("optimizer.learning_rate"), draft.get("network.rank")) == (
        "sd15-12gb",
        2e-6,
        4,
    )
    choose_train(draft, "lora")
    assert draft.preset == "sd15-lora-8gb"


def test_costs_are_those_of_the_presets_and_the_models():
    full, lora = costs("full"), costs("lora")
    offered = {kind: [each.needed_gb for each in offers("sd1", kind)[0]] for kind in ("full", "lora")}
    assert full.vram_gb == (min(offered["full"]), max(offered["full"]))  # as the hardware step has it
    assert lora.vram_gb == (min(offered["lora"]), max(offered["lora"]))
    assert full.lines()[0] == "GPU   4.8 to 13.3 GB"
    assert full.pictures == lora.pictures == (1600, 1600)
    assert full.at_once == (1, 4)
    assert full.result_bytes == (2_132_470_614, 4_264_941_228)
    assert lora.result_bytes[1] * 20 < full.result_bytes[0]
    assert costs("full", "sd2").result_bytes > full.result_bytes
    assert costs("no such kind") is None


@pytest.mark.parametrize(("size", "name"), [(NARROW, "goal_narrow"), (WIDE, "goal_wide")])
async def test_what_it_looks_like(open_app, looks_like, size, name):
    async with open_app(size=size, step="goal") as (_, pilot):
        await looks_like(pilot, name)


async def test_choosing_by_keys(open_app, looks_like):
    async with open_app(size=NARROW, step="goal") as (app, pilot):
        await pilot.press("down", "down", "tab", "l")
        assert (app.draft.goal, app.draft.is_lora) == ("style", True)
        await settle(pilot)
        await looks_like(pilot, "goal_style_lora")
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "model"
        await pilot.press("escape")
        await settle(pilot)
        assert "● A style" in screen_text(app)
        assert "● LoRA" in screen_text(app)


async def test_enter_alone_takes_the_usual_answers(open_app):
    async with open_app(size=WIDE, step="goal") as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.get("method") == {"captions": "dreambooth", "train": "full"}
        assert app.draft.step == "model"


async def test_the_cursor_goes_to_the_setting(open_app):
    async with open_app(size=NARROW, step="goal") as (app, pilot):
        app.screen.show_key("method.train")
        await pilot.pause()
        assert app.focused.id == "method--train"
