from textual.events import Key

from tests.wizard.conftest import NARROW, screen_text, settle


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


async def test_what_was_typed_ahead_goes_to_the_fields_it_was_meant_for(open_app):
    async with open_app(size=NARROW, step="subject") as (app, pilot):
        keys = ["s", "l", "s", "tab", "f", "r", "o", "g", "shift+tab", "x"]
        for key in keys:  # all at once, as they come over a slow line
            app.post_message(Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        assert app.draft.concepts == [{"identifier": "slsx", "class": "frog"}]
