import threading

from textual.events import Key

from dbtui.wizard.draft import Draft
from dbtui.wizard.models.facts import ModelFacts
from dbtui.wizard.widgets.step_line import StepLine
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from tests.wizard.model_files import write_model


async def test_enter_and_escape_go_through_all_steps_and_home(open_app):
    async with open_app(size=NARROW) as (app, pilot):
        app.new_run()
        await settle(pilot)
        assert "1 goal ▸" in screen_text(app)
        app.go_by(1)
        await settle(pilot)
        assert "1 goal ✓   2 model ▸" in screen_text(app)
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert len(app.screen_stack) == 1


async def test_any_step_can_be_chosen(open_app):
    async with open_app(size=NARROW, step="goal") as (app, pilot):
        await pilot.press("f2", "end", "enter")
        await settle(pilot)
        assert app.draft.step == "review"
        await pilot.press("f2", "3")
        await settle(pilot)
        assert app.draft.step == "subject"
        await pilot.press("f2", "8")
        await settle(pilot)
        await pilot.press("f1")
        assert app.screen.__class__.__name__ == "HelpScreen"
        await pilot.press("escape")
        assert app.draft.step == "review"


def type_ahead(app, *keys):
    """Send keys all at once, as they come over a slow line; of a longer text each letter."""
    names = {"enter", "tab", "shift+tab", "escape", "f2"}
    for key in (each for text in keys for each in ([text] if text in names else text)):
        app.post_message(Key(key, key if len(key) == 1 else None))


async def test_what_was_typed_ahead_goes_to_the_fields_it_was_meant_for(open_app):
    async with open_app(size=NARROW, step="subject") as (app, pilot):
        type_ahead(app, "sls", "tab", "frog", "shift+tab", "x")
        await settle(pilot)
        assert app.draft.concepts == [{"identifier": "slsx", "class": "frog"}]


async def test_what_was_typed_ahead_waits_for_the_screen_that_it_was_meant_for(open_app, tmp_path):
    write_model(tmp_path / "here" / "m.safetensors")
    async with open_app(size=NARROW) as (app, pilot):
        type_ahead(app, "n", "enter", "m.safetensors", "enter", "sls", "tab", "frog", "enter", "photos")
        await until(pilot, lambda: "'instance_dir': 'photos'" in str(app.draft.concepts), "all is typed")
        assert app.draft.step == "pictures"
        assert app.draft.get("model.base") == str(tmp_path / "here" / "m.safetensors")
        assert app.draft.concepts == [{"identifier": "sls", "class": "frog", "instance_dir": "photos"}]


async def test_escape_does_not_wait_for_a_slow_model_and_drops_what_was_typed_behind_it(open_app, monkeypatch):
    answers = threading.Event()
    read = ModelFacts("owner/name", info=None)
    monkeypatch.setattr("dbtui.wizard.steps.model.facts_of", lambda *_, **__: answers.wait(60) and read)
    async with open_app(size=NARROW, step="model") as (app, pilot):
        type_ahead(app, "owner/name", "enter", "sls", "escape")
        await until(pilot, lambda: app.draft.step == "goal", "the step before is there")
        answers.set()
        await settle(pilot)
        assert app.draft.get("model.base") == "owner/name"
        assert not app.draft.concepts


async def test_a_step_that_was_jumped_over_does_not_count_as_answered(open_app):
    draft = Draft(tables={"model": {"base": "owner/name"}})
    async with open_app(size=WIDE, step="class_pictures", draft=draft) as (app, pilot):
        assert "2 model ✓   3 name !   4 pictures !   5 class pictures ▸" in screen_text(app)
        draft.concepts.append({"identifier": "sls", "instance_dir": "photos"})
        app.screen.query_one(StepLine).refresh()
        await until(pilot, lambda: "3 name ✓   4 pictures ✓" in screen_text(app), "both are answered")
        draft.concepts.append({"identifier": "cpc"})
        app.screen.query_one(StepLine).refresh()
        await until(pilot, lambda: "3 name ✓   4 pictures !" in screen_text(app), "the second has no pictures")
