"""The preset library's screen with the shipped presets, and with a person's own, good and broken."""

from pathlib import Path

import pytest

from dbtui.presets.library import user_folder
from dbtui.wizard.screens.preset_facts import all_presets, draft_with
from dbtui.wizard.screens.presets import PresetsScreen
from dbtui.wizard.widgets.row_list import RowList
from dbtui.wizard.widgets.toml_text import toml_text
from tests.wizard.conftest import NARROW, WIDE, screen_text, until


@pytest.fixture(autouse=True)
def own_presets(monkeypatch: pytest.MonkeyPatch):
    """Write presets into the person's folder, whose path is short."""
    monkeypatch.setenv("DBTUI_CONFIG_DIR", "config")

    def write(name: str, text: str) -> Path:
        user_folder().mkdir(parents=True, exist_ok=True)
        path = user_folder() / f"{name}.toml"
        path.write_text(text)
        return path

    return write


async def opened(app, pilot) -> None:
    app.push_screen(PresetsScreen())
    await until(pilot, lambda: "CC0-1.0" in screen_text(app), "the presets are shown")


async def test_the_shipped_presets(open_app, looks_like):
    async with open_app(size=NARROW) as (app, pilot):
        await opened(app, pilot)
        await looks_like(pilot, "presets_narrow")
        await pilot.press("down", "a")
        await until(pilot, lambda: "sd15-8gb  SD 1.x, everything" in screen_text(app), "the next one is shown")
        toml = app.screen.query_one("#toml").visual.plain
        assert "gradient_accumulation = 1" in toml  # of every setting, although the file does not name it
        await pilot.press("a")
        assert "gradient_accumulation" not in app.screen.query_one("#toml").visual.plain


async def test_wide(open_app, looks_like):
    async with open_app(size=WIDE) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("end")
        await until(pilot, lambda: "sd21-lora-12gb  SD 2.x" in screen_text(app), "the last one is shown")
        await looks_like(pilot, "presets_wide")


async def test_a_run_begins_with_it(open_app):
    async with open_app(size=NARROW) as (app, pilot):
        await opened(app, pilot)
        app.screen.query_one(RowList).go_to("sd15-lora-8gb")
        await pilot.press("enter")
        assert (app.draft.preset, app.draft.is_lora, app.draft.step) == ("sd15-lora-8gb", True, "goal")
        app.go_home()
        assert len(app.screen_stack) == 1


async def test_a_broken_one_is_shown_with_its_problems_and_begins_nothing(open_app, own_presets, looks_like):
    own_presets("mine", "schema = 1\n# mine\n[train]\nbatch_size = 0\nsteps = 3\n")
    own_presets("sd15-8gb", "schema = 1\n")
    async with open_app(size=NARROW) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("end")
        await until(pilot, lambda: "✗" in screen_text(app), "the problems are shown")
        await looks_like(pilot, "presets_broken")
        await pilot.press("enter")
        assert app.draft.preset == ""
        assert isinstance(app.screen, PresetsScreen)


async def test_reading_again_keeps_the_place(open_app, own_presets):
    async with open_app(size=NARROW) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("down")
        own_presets("mine", "schema = 1\n[preset]\ntitle = 'my [red]own'\n")
        await pilot.press("r")
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.keys) == 14, "the new one is there")
        assert rows.key == "sd15-8gb"
        await pilot.press("end")
        await until(pilot, lambda: "mine  my [red]own" in screen_text(app), "markup is only text")


def test_a_finetune_preset_begins_with_a_dataset(own_presets):
    own_presets("tags", 'schema = 1\n[method]\ncaptions = "finetune"\n')
    draft = draft_with(next(each for each in all_presets()[0] if each.name == "tags"))
    assert (draft.goal, draft.get("method.captions"), draft.get("method.train")) == ("dataset", "finetune", "full")


def test_nothing_raw_reaches_the_text():
    text = toml_text('title = "\x1b[2J\u202e"\n# note\n[train]\n')
    assert text.plain == 'title = "\\x1b[2J\\u202e"\n# note\n[train]'
