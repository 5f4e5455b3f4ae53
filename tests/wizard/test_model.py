import asyncio
import threading

import pytest

import dbtui.wizard.steps.model as module
from dbtui.wizard.draft import Draft
from dbtui.wizard.models.facts import facts_of
from dbtui.wizard.recent import recent_models, remember_model
from dbtui.wizard.steps.order import step_of_key
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from tests.wizard.model_files import write_lora, write_model

HERE = "ComfyUI/models/checkpoints"


@pytest.fixture
def web_ui(tmp_path):
    """Models where ComfyUI keeps them, in the home folder."""
    folder = tmp_path / "home" / HERE
    write_model(folder / "v1-5.safetensors")
    write_model(folder / "v2-768.safetensors", "sd2", metadata={"modelspec.prediction_type": "v"})
    write_model(folder / "v2-guess.safetensors", "sd2")
    write_model(folder / "[red]x.safetensors", metadata={"modelspec.title": "\x1b]0;t\x07"})
    write_lora(folder / "frog.safetensors")
    (folder / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(2_000_000))
    return folder


def named(path):
    draft = Draft(step="model")
    draft.set("model.base", str(path))
    return draft


async def test_nothing_known_and_nothing_named(open_app, looks_like):
    async with open_app(size=NARROW, step="model") as (app, pilot):
        await looks_like(pilot, "model_empty")
        await pilot.press("enter")
        await settle(pilot)
        await looks_like(pilot, "model_not_named")
        assert app.draft.step == "model"


@pytest.mark.parametrize(("size", "name"), [(NARROW, "model_narrow"), (WIDE, "model_wide")])
async def test_what_it_looks_like(open_app, looks_like, web_ui, size, name):
    async with open_app(size=size, step="model", draft=named(web_ui / "v1-5.safetensors")) as (_, pilot):
        await settle(pilot)
        await looks_like(pilot, name)


async def test_a_path_is_typed_with_completion(open_app, looks_like, web_ui):
    async with open_app(size=NARROW, step="model") as (app, pilot):
        await type_into(pilot, f"~/{HERE}/v")
        await looks_like(pilot, "model_completion")
        await type_into(pilot, "1")
        await pilot.press("tab")
        await settle(pilot)
        assert app.draft.get("model.base") == str(web_ui / "v1-5.safetensors")
        assert "✓ Stable Diffusion 1.x" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "subject"
        assert recent_models() == [str(web_ui / "v1-5.safetensors")]


async def type_into(pilot, text):
    pilot.app.focused.insert_text_at_cursor(text[:-1])  # each key costs the tests a moment
    await pilot.press(text[-1])
    await settle(pilot)


async def test_the_model_used_last_is_filled_in(open_app, web_ui, tmp_path):
    remember_model(str(web_ui / "v2-768.safetensors"))
    async with open_app(size=NARROW, step="model") as (app, pilot):
        assert app.draft.get("model.base") == str(web_ui / "v2-768.safetensors")
        assert "predicts v, known from its metadata" in screen_text(app)
        assert "used before" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "subject"


async def test_one_of_the_list_is_taken_then_gone_on_with(open_app, looks_like, web_ui):
    async with open_app(size=WIDE, step="model") as (app, pilot):
        await pilot.press("tab", "end", "enter")
        await settle(pilot)
        assert app.draft.get("model.base") == str(web_ui / "v2-guess.safetensors")
        await looks_like(pilot, "model_from_list")
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "subject"


async def test_a_guess_is_settled_with_one_key(open_app, web_ui):
    async with open_app(size=NARROW, step="model", draft=named(web_ui / "v2-guess.safetensors")) as (app, pilot):
        assert "which is a guess" in screen_text(app)
        said = []
        for _ in range(3):
            await pilot.press("f4")
            await settle(pilot)
            said.append(app.draft.get("model.prediction"))
            told = screen_text(app)
            assert ("which is a guess" in told) == (said[-1] is None)
        assert said == ["epsilon", "v", None]


async def test_where_the_file_tells_there_is_nothing_to_settle(open_app, web_ui):
    async with open_app(size=NARROW, step="model", draft=named(web_ui / "v1-5.safetensors")) as (app, pilot):
        await pilot.press("f4")
        await settle(pilot)
        assert app.draft.get("model.prediction") is None
        assert "f4" not in screen_text(app)


async def test_a_ckpt_is_explained(open_app, looks_like, web_ui):
    async with open_app(size=NARROW, step="model", draft=named("~/ComfyUI/models/checkpoints/old.ckpt")) as (
        app,
        pilot,
    ):
        await looks_like(pilot, "model_ckpt")
        told = " ".join(screen_text(app).split())
        assert "a process of its own that takes only numbers" in told
        assert "dbtui convert" in told


async def test_a_model_that_is_read_after_the_list_is_shown_in_it_too(open_app, looks_like, web_ui, monkeypatch):
    read, in_thread = asyncio.Event(), module.in_thread

    async def late(function, *args, **settings):
        if function is module.facts_of:
            await read.wait()
        return await in_thread(function, *args, **settings)

    monkeypatch.setattr(module, "in_thread", late)
    async with open_app(size=NARROW, step="model", draft=named("~/ComfyUI/models/checkpoints/old.ckpt")) as (
        app,
        pilot,
    ):
        await until(pilot, lambda: "old.ckpt   " in screen_text(app), "the list is there")
        read.set()
        await looks_like(pilot, "model_ckpt")


async def test_what_cannot_be_trained_is_said_and_kept_from(open_app, tmp_path):
    home = tmp_path / "home"
    write_model(home / "0.safetensors", extra=("conditioner.embedders.0.x",))
    write_model(home / "1.safetensors", extra=("model.diffusion_model.double_blocks.0.x",))
    write_lora(home / "2.safetensors")
    (home / "3.safetensors").write_bytes(b"{}" * 9)
    write_model(home / "4.safetensors", without="first_stage_model.")
    words = ("an SDXL model", "a Flux model", "a LoRA, not a whole model", "the file is damaged", "holds no VAE")
    async with open_app(size=WIDE, step="model") as (app, pilot):
        for number, said in enumerate(words):
            app.focused.value = f"~/{number}.safetensors"
            await settle(pilot)
            assert said in " ".join(screen_text(app).split())
            assert screen_text(app).count("✗") == 1
            await pilot.press("enter")
            assert app.draft.step == "model"


async def test_a_vae_of_its_own(open_app, web_ui, tmp_path):
    path = write_model(tmp_path / "home" / "m.safetensors", without="first_stage_model.")
    async with open_app(size=NARROW, step="model", draft=named(path)) as (app, pilot):
        app.screen.show_key("model.vae")
        await pilot.pause()
        await type_into(pilot, f"~/{HERE}/v1-5.safetensors")
        assert app.draft.get("model.vae") == str(web_ui / "v1-5.safetensors")
        assert "✓ Stable Diffusion 1.x" in screen_text(app)


async def test_a_hub_name_is_taken_without_asking_the_network(open_app):
    async with open_app(size=NARROW, step="model") as (app, pilot):
        await type_into(pilot, "someone/painter")
        assert "from the Hub, fetched when it is needed" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert (app.draft.get("model.base"), app.draft.step) == ("someone/painter", "subject")


async def test_enter_while_the_model_is_being_read_goes_on_when_it_is(open_app, web_ui, monkeypatch):
    answer = threading.Event()

    def slow(named, **settings):
        answer.wait(60)
        return facts_of(named, **settings)

    monkeypatch.setattr(module, "facts_of", slow)
    async with open_app(size=NARROW) as (app, pilot):
        app.new_run(named(web_ui / "v1-5.safetensors"))
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "goes on by itself" in screen_text(app), "it says so")
        assert app.draft.step == "model"
        answer.set()
        await until(pilot, lambda: app.draft.step == "subject", "it goes on")


async def test_whatever_breaks_in_reading_a_model_is_told(open_app, monkeypatch):
    def breaks(named, **settings):
        raise RuntimeError(f"{named} \x1b[31mbroke")

    monkeypatch.setattr(module, "facts_of", breaks)
    async with open_app(size=NARROW) as (app, pilot):
        app.new_run(named("a.safetensors"))
        await until(pilot, lambda: "a.safetensors \\x1b[31mbroke" in screen_text(app), "it is told")
        await pilot.press("enter")
        assert app.draft.step == "model"
        assert "goes on by itself" not in screen_text(app)


async def test_an_answer_that_comes_too_late_is_not_believed(open_app, web_ui, monkeypatch):
    answer = threading.Event()

    def slow(named, **settings):
        if named.endswith("v1-5.safetensors"):
            answer.wait(60)
        return facts_of(named, **settings)

    monkeypatch.setattr(module, "facts_of", slow)
    async with open_app(size=NARROW) as (app, pilot):
        app.new_run(named(web_ui / "v1-5.safetensors"))
        await pilot.pause()
        app.screen._take(str(web_ui / "v2-768.safetensors"))
        app.screen._look()
        await until(pilot, lambda: "predicts v" in screen_text(app), "the newer question is answered")
        answer.set()
        await settle(pilot)
        assert app.draft.get("model.base") == str(web_ui / "v2-768.safetensors")
        assert "predicts v" in screen_text(app)


def test_settings_of_the_model_are_asked_here_or_in_the_form():
    assert step_of_key("model.vae").name == "model"
    assert step_of_key("model.clip_skip").name == "training"


async def test_a_preset_for_another_family_is_chosen_anew(open_app, web_ui):
    draft = named(web_ui / "v1-5.safetensors")
    draft.preset = "sd15-12gb"
    async with open_app(size=NARROW, step="model", draft=draft) as (app, pilot):
        assert app.draft.preset == "sd15-12gb"
        await pilot.press("tab", "end", "enter")
        await settle(pilot)
        assert app.draft.get("model.base") == str(web_ui / "v2-guess.safetensors")
        assert app.draft.preset == ""
