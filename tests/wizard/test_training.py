"""The training step: the settings that matter, and all settings, as a person meets them."""

from pathlib import Path

import pytest
from PIL import Image
from textual.widgets import Input, OptionList

from dbtui.forms.typed import text_of
from dbtui.forms.widgets.choice_line import ChoiceLine
from dbtui.forms.widgets.editors import editor_for
from dbtui.wizard.answers import resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.review.reviewed import review
from dbtui.wizard.screens.all_settings import AllSettings
from dbtui.wizard.steps.order import step_named
from dbtui.wizard.training.draft_form import form_of
from dbtui.wizard.training.length import NO_PICTURES
from dbtui.wizard.training.lengths import Lengths
from dbtui.wizard.training.matters import MATTERS
from dbtui.wizard.training.proposals import next_prompt
from dbtui.wizard.training.units import change_unit, key_in_use
from dbtui.wizard.widgets.setting_row import SettingRow
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from tests.wizard.other_values import another_text, met, paths_of_all
from tests.wizard.schema_of_tests import with_made_up
from tests.wizard.test_forms import Extended
from trainer_core.config.fields import all_fields
from trainer_core.config.layer import settings_of
from trainer_core.config.problems import dotted

HOW_LONG = MATTERS[0]


@pytest.fixture
def frogs(tmp_path: Path) -> Path:
    folder = tmp_path / "train" / "20_sls frog"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (128, 128), (number, 0, 0)).save(folder / f"{number}.png")
    return folder.parent


@pytest.fixture
def draft(frogs: Path) -> Draft:
    return Draft(preset="sd15-12gb", tables={"dataset": {"train_dir": str(frogs)}})


def row_of(app, key: str) -> SettingRow:
    return next(row for row in app.screen.query(SettingRow) if key in row.matter.keys)


async def both(app, pilot, looks_like, name: str) -> None:
    """Compare the screen as it is at both sizes; it ends narrow."""
    for size, word in ((WIDE, "wide"), (NARROW, "narrow")):
        await pilot.resize_terminal(*size)
        await settle(pilot)
        await looks_like(pilot, f"{name}_{word}")


async def test_the_preset_has_answered_everything(open_app, looks_like):
    async with open_app(size=NARROW, step="training", draft=Draft(preset="sd15-12gb")) as (app, pilot):
        assert NO_PICTURES in screen_text(app)
        await both(app, pilot, looks_like, "training_empty")
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "review"
        assert app.draft.tables == {}


async def test_answers_are_marked_and_counted(open_app, looks_like, draft):
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        assert "60 pictures a pass = 60 steps; 1,600 steps = 26.7 passes" in screen_text(app)
        await pilot.press(*"600", "down", *"2e-6", "down", "4", "ctrl+n")
        await settle(pilot)
        assert draft.get("train") == {"max_steps": 600, "batch_size": 4}
        assert draft.get("optimizer.learning_rate") == 2e-6
        assert draft.get("sample.prompts") == [{"prompt": "a photo of sls frog in the snow"}]
        assert draft.get("sample.every_n_steps") == 200
        assert app.screen.length.words == "60 pictures a pass / batches of 4 = 15 steps; 600 steps = 40.0 passes"
        await both(app, pilot, looks_like, "training_filled")


async def test_what_is_wrong_is_said_beside_the_field_and_keeps_from_going_on(open_app, looks_like, draft):
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await pilot.press("0", "down", "tab", "x")
        await settle(pilot)
        assert screen_text(app).count("must be a whole number from 1 to 10000000, not 0") >= 1
        await pilot.press("enter")
        await settle(pilot)
        await both(app, pilot, looks_like, "training_wrong")
        assert app.draft.step == "training"
        assert draft.get("train.max_steps") is None
        app.go_to(step_named("training"), "train.max_steps")
        await settle(pilot)
        assert row_of(app, "train.max_steps").editor.value == "0"  # nothing that was typed is lost
        await pilot.press("ctrl+r", "tab", "tab", "tab", "ctrl+r")
        await settle(pilot)
        assert row_of(app, "train.batch_size").editor.value == "1"
        assert app.screen.problems() == []


async def test_settings_that_do_not_go_together_are_said_as_the_reader_says_it(open_app, looks_like, draft):
    draft.set("train.epochs", 4)
    draft.set("train.max_steps", 100)
    draft.set("dataset.color_aug", 0.1)
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await looks_like(pilot, "training_conflict")
        assert "! train.max_steps and train.epochs cannot both be given; remove one of them" in screen_text(app)
        await pilot.press("enter")
        assert app.draft.step == "training"
        await pilot.press("ctrl+r")
        app.screen.show_key("dataset.cache_latents")
        await until(pilot, lambda: isinstance(app.screen, AllSettings) and app.screen.editor, "its editor is open")
        assert 'set dataset.cache_latents = "off"' in screen_text(app)
        await pilot.press("left", "enter", "escape")
        await settle(pilot)
        assert draft.get("dataset.cache_latents") == "off"
        assert app.screen.problems() == []


async def test_steps_or_passes_and_back(open_app, looks_like, draft):
    draft.set("train.max_steps", 600)
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await pilot.press("tab", "right")
        await settle(pilot)
        assert (draft.get("train.epochs"), draft.get("train.max_steps")) == (10, None)
        assert "60 pictures a pass = 60 steps; x 10 passes = 600 steps" in screen_text(app)
        await looks_like(pilot, "training_passes")
        await pilot.press("space")
        await settle(pilot)
        assert (draft.get("train.epochs"), draft.get("train.max_steps")) == (None, 600)
        await pilot.press("right", "ctrl+r")
        await settle(pilot)
        assert draft.get("train") == {}
        assert row_of(app, "train.max_steps").editor.value == "1600"


async def test_a_lora_is_asked_other_things(open_app, looks_like, frogs):
    draft = Draft(preset="sd15-lora-8gb", tables={"method": {"train": "lora"}})
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await looks_like(pilot, "training_lora")
        assert "LoRA rank" in screen_text(app)
        assert "save as" not in screen_text(app)


async def test_every_setting_can_be_searched_and_edited(open_app, looks_like):
    draft = Draft(preset="sd15-12gb", tables={"model": {"clip_skip": 2}})
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await pilot.press("f3")
        await settle(pilot)
        assert app.screen.query_one(OptionList).option_count > 100
        assert len(app.screen.query("AllSettings > *, #middle *")) < 15  # many widgets would make it slow
        await both(app, pilot, looks_like, "settings")
        await pilot.press(*"offset")
        await settle(pilot)
        await both(app, pilot, looks_like, "settings_search")
        await pilot.press("enter", *"0.5", "enter")
        await settle(pilot)
        assert draft.get("loss.noise_offset") == 0.5
        assert "loss.noise_offset_random_strength" in screen_text(app)  # it has an effect now
        await pilot.press("enter", "x")
        await settle(pilot)
        await both(app, pilot, looks_like, "settings_wrong")
        assert draft.get("loss.noise_offset") == 0.5
        await pilot.press("ctrl+r", "escape")
        await settle(pilot)
        assert draft.get("loss.noise_offset") is None
        await pilot.press("escape")
        assert app.screen.query_one("#search", Input).value == ""
        await pilot.press(*"conv_")
        await settle(pilot)
        assert "0 settings · f4: 2 more" in screen_text(app)
        assert "No setting is called that." in screen_text(app)
        await pilot.press("f4")
        await settle(pilot)
        assert 'no effect now: used only with method.train = "lora" (it is "full")' in screen_text(app)
        await looks_like(pilot, "settings_without_effect")
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert app.screen.NAME == "training"


async def test_previews_are_added_edited_and_removed(open_app, looks_like, draft):
    async with open_app(size=NARROW, step="training", draft=draft) as (app, pilot):
        await pilot.press("ctrl+n")
        await settle(pilot)
        await pilot.press("ctrl+n")
        await settle(pilot)
        prompts = ["a photo of sls frog in the snow", "a photo of frog"]
        assert [each["prompt"] for each in draft.get("sample.prompts")] == prompts
        app.screen.show_key("sample.prompts.seed")
        await until(pilot, lambda: isinstance(app.screen, AllSettings) and app.screen.editor, "its editor is open")
        await pilot.press("7", "enter")
        await settle(pilot)
        assert draft.get("sample.prompts")[0]["seed"] == 7
        await looks_like(pilot, "settings_previews")
        await pilot.press("f8")
        await settle(pilot)
        assert draft.get("sample.prompts") == [{"prompt": "a photo of frog"}]
        app.screen.query_one("#search", Input).value = "prompts add"
        await pilot.press("enter", *"hi", "enter")
        await settle(pilot)
        assert [each["prompt"] for each in draft.get("sample.prompts")] == ["a photo of frog", "hi"]
        await pilot.press("escape")
        await settle(pilot)
        assert "1 of 2" in screen_text(app)
        draft.set("sample.prompts", None)
        app.screen.form.changed()
        app.screen.show_key("sample.prompts.prompt")
        await pilot.press(*"hi")
        await settle(pilot)
        assert draft.get("sample.prompts") == [{"prompt": "hi"}]
        await pilot.press("backspace", "backspace")
        await settle(pilot)
        assert draft.get("sample.prompts") is None
        assert app.screen.problems() == []


@pytest.fixture
def later_schema(monkeypatch):
    yield from with_made_up(Extended, monkeypatch)


async def test_every_setting_has_an_editor_and_every_kind_is_edited_by_keyboard(open_app, later_schema):
    async with open_app(size=NARROW, step="training", draft=Draft()) as (app, pilot):
        await pilot.press("f3")
        await settle(pilot)
        show_all(app, paths_of_all())
        one_of_each = {kind_of(path): path for path in paths_of_all() if path[0] == "made_up"}
        assert len(one_of_each) == 9
        for path in one_of_each.values():
            draft = Draft()
            met(path, draft)
            app.draft, app.screen.form = draft, form_of(draft)
            app.screen.show_key(dotted(path))
            await until(pilot, lambda path=path: is_editing(app, path), "it is edited")
            assert str(path[-1]) in screen_text(app)
            await type_into(pilot, app.screen.editor, another_text(path))
            values = {named.path: named.value for named in settings_of(resolved(draft).model_dump(by_alias=True))}
            assert text_of(values[path]) == another_text(path)
            assert values[path] != all_fields()[dotted(path)].default


def is_editing(app, path):
    editor = app.screen.editor
    return editor is not None and editor.path == path and editor.has_focus


def show_all(app, paths):
    with app._context():
        for path in paths:
            draft = Draft()
            met(path, draft)
            form = form_of(draft)
            editor = editor_for(form.state(path))
            assert editor.value == form.state(path).text
            form.enter(path, another_text(path))
            editor.show_state(form.state(path), text=True)
            assert editor.value == another_text(path)


def kind_of(path):
    field = all_fields()[dotted(path)]
    return field.value.kind, field.path, len(path) == field.key.count(".") + 1


async def type_into(pilot, editor, text):
    if isinstance(editor, ChoiceLine):
        while editor.value != text:
            await pilot.press("right")
    else:
        await pilot.pause()  # with the focus everything is selected
        editor.value = text[:-1]
        editor.action_end()
        await pilot.press(text[-1])
    await pilot.pause()


async def test_nothing_that_a_terminal_could_act_on_gets_into_a_field_or_onto_the_screen(open_app, draft):
    bad = "a\x1b]0;owned\x07\u202e [bold]b[/bold]"
    draft.set("sample.prompts", [{"prompt": bad}])
    draft.aside["typed"] = {"train.seed": bad}
    async with open_app(size=WIDE, step="training", draft=draft) as (app, pilot):
        app.screen.show_key("sample.prompts.prompt")
        await settle(pilot)
        shown = screen_text(app)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "holds characters that cannot be shown" in shown
        await pilot.press("f3", *"prompt")
        await settle(pilot)
        shown = screen_text(app)
        assert "a\\x1b]0;owned\\x07\\u202e [" in shown
        assert "\x1b" not in shown
        assert draft.get("sample.prompts")[0]["prompt"] == bad


def test_the_pictures_are_read_again_only_if_a_setting_asks_for_it(draft, tmp_path, monkeypatch):
    lengths = Lengths(tmp_path / "runs")
    reads = []
    real = Lengths.scan.__globals__["_scan"]
    monkeypatch.setitem(
        Lengths.scan.__globals__, "_scan", lambda *arguments: reads.append(arguments) or real(*arguments)
    )
    assert lengths.of(resolved(draft)).steps_a_pass == 60
    draft.set("train.batch_size", 60)
    assert lengths.of(resolved(draft)).steps_a_pass == 1
    assert len(reads) == 1
    draft.set("dataset.resolution", [128, 128])
    assert lengths.of(resolved(draft)).steps_a_pass == 1
    assert len(reads) == 2


def test_the_review_knows_what_was_typed_and_is_no_answer(draft, tmp_path):
    form_of(draft).enter(("train", "max_steps"), "many")
    mends = review(draft, tmp_path / "runs").mends
    assert [(mend.key, mend.step.name) for mend in mends if mend.key.startswith("train")] == [
        ("train.max_steps", "training")
    ]


def test_the_other_unit_begins_with_about_as_much():
    draft = Draft(preset="sd15-12gb")
    form = form_of(draft)
    assert key_in_use(form, HOW_LONG) == "train.max_steps"
    change_unit(draft, form, HOW_LONG, "train.epochs", None)
    form.changed()
    assert (draft.get("train.epochs"), key_in_use(form, HOW_LONG)) == (10, "train.epochs")
    draft.set("train.epochs", 3)
    change_unit(draft, form, HOW_LONG, "train.max_steps", None)
    assert draft.get("train.max_steps") == 1600
    change_unit(draft, form, HOW_LONG, "train.epochs", None)
    assert draft.get("train.epochs") == 3


@pytest.mark.parametrize(
    ("goal", "concept", "prompt"),
    [
        ("thing", {"identifier": "sls", "class": "frog"}, "a photo of sls frog in the snow"),
        ("character", {"identifier": "sls", "class": "girl"}, "sls girl in the snow"),
        ("style", {"identifier": "sls"}, "a castle in the snow, by sls"),
        ("thing", {}, "a photo"),
    ],
)
def test_the_first_preview_is_what_one_would_write(goal, concept, prompt):
    draft = Draft(goal=goal, tables={"concept": [concept]})
    assert next_prompt(draft, resolved(draft)) == prompt
