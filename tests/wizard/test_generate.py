"""The screen that draws: what it asks, what it shows, how it is stopped; the process is a fake one."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest
from textual.widgets import Input

from dbtui.generate.form import Fields, request_of
from dbtui.generate.look import Look, look_at, newest_model
from dbtui.generate.process import DrawingProcess
from dbtui.generate.progress import Drawn, Progress
from dbtui.wizard.screens import generate
from dbtui.wizard.screens.generate import GenerateScreen
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from trainer_core.errors import UserError

FAKE = [sys.executable, str(Path(__file__).with_name("fake_drawing.py"))]


def write_header(path, tensors, metadata):
    """A safetensors file of zeros."""
    end, entries = 0, {}
    for name, shape in tensors.items():
        size = 4
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps({"__metadata__": metadata, **entries}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    return path


@pytest.fixture
def lora() -> Path:
    pair = {"lora_unet_a.lora_down.weight": (1, 4), "lora_unet_a.lora_up.weight": (4, 1)}
    return write_header(Path("frog.safetensors"), pair, {"ss_sd_model_name": "v1-5\x1b[31m.safetensors"})


@pytest.fixture
def open_screen(open_app, monkeypatch):
    monkeypatch.setattr(generate, "DrawingProcess", partial(DrawingProcess, command=FAKE))
    monkeypatch.setattr("dbtui.generate.candidates.candidates", lambda runs_dir: ())

    class Opened:
        def __init__(self, *arguments, size=NARROW):
            self.context, self.arguments = open_app(size=size), arguments

        async def __aenter__(self):
            app, pilot = await self.context.__aenter__()
            app.push_screen(GenerateScreen(*self.arguments))
            await settle(pilot)
            return app, pilot

        async def __aexit__(self, *error):
            return await self.context.__aexit__(*error)

    return Opened


async def test_empty_it_asks_for_a_model(open_screen, looks_like):
    async with open_screen() as (app, pilot):
        assert app.focused.id == "model"
        await looks_like(pilot, "generate_empty")
        await pilot.press("enter")
        assert "there is no model" in screen_text(app)
        assert "there is no prompt" in screen_text(app)
        await looks_like(pilot, "generate_in_error")


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_a_lora_beside_its_start_model(size, name, lora, open_screen, looks_like):
    async with open_screen(str(lora), "a photo of sls frog", size=size) as (app, pilot):
        await pilot.press("f4", "tab", "tab", "tab", *"2", "tab", *"64,64", "enter")
        await until(pilot, lambda: not app.screen.is_drawing, "the pictures are there")
        await settle(pilot)
        assert [Path(path).name for path in Path("generated").iterdir()]
        assert "found by its hash" in screen_text(app)
        await looks_like(pilot, f"generate_{name}")
        assert app.focused.id == "size"


async def test_escape_stops_and_then_goes_back(lora, open_screen):
    async with open_screen(str(lora), "wait") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "step 3 of 30" in screen_text(app), "it draws")
        await pilot.press("enter")
        assert app.screen.is_drawing
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.is_drawing, "it has stopped")
        assert "stopped; the pictures that are there stay" in screen_text(app)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_a_process_that_cannot_be_started_is_told(lora, open_screen, monkeypatch):
    def none(*_):
        raise OSError(12, "Cannot allocate memory")

    async with open_screen(str(lora), "a frog") as (app, pilot):
        monkeypatch.setattr(generate, "DrawingProcess", none)
        await pilot.press("enter")
        await until(pilot, lambda: "Cannot allocate memory" in screen_text(app), "it is told")
        assert not app.screen.is_drawing  # it can be tried again


async def test_leaving_the_application_ends_the_drawing(lora, open_screen, monkeypatch):
    started = []

    class Remembered(DrawingProcess):
        def __init__(self, request):
            super().__init__(request, FAKE)
            started.append(self)

    monkeypatch.setattr(generate, "DrawingProcess", Remembered)
    async with open_screen(str(lora), "wait") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.progress.steps, "it draws")
    assert started[0]._process.wait(20) == 75


async def test_another_model_is_looked_at_as_it_is_typed(lora, open_screen):
    async with open_screen() as (app, pilot):
        await pilot.press(*"nothing")
        await settle(pilot)
        assert "! there is no such file" in screen_text(app)
        app.screen.query_one("#model", Input).value = str(lora)
        await settle(pilot)
        shown = screen_text(app)
        assert "✓ a LoRA (frog.safetensors)" in shown
        assert "it was called v1-5\\x1b[31m.safetensors" in shown
        await pilot.press("f5")
        assert int(app.screen.query_one("#seed", Input).value) >= 0


async def test_a_model_that_is_taken_out_stays_out(lora, open_screen, monkeypatch):
    monkeypatch.setattr(generate, "newest_model", lambda runs_dir: str(lora))
    async with open_screen() as (app, pilot):
        field = app.screen.query_one("#model", Input)
        assert field.value == str(lora)
        assert app.focused.id == "prompt"
        await pilot.press("shift+tab", "shift+tab", "ctrl+u")  # over the start model's field
        await settle(pilot)
        assert not field.value
        assert app.focused is field


async def test_the_newest_run_is_the_usual_answer(tmp_path, open_screen):
    run = tmp_path / "runs" / "sls-frog-1"
    (run / "output").mkdir(parents=True)
    (run / "run.toml").write_text(
        f'schema = 1\n[model]\nbase = "{tmp_path}/v1.safetensors"\n[dataset]\ntrain_dir = "{tmp_path}"\n'
        '[[sample.prompts]]\nprompt = "sls frog in the snow"\n'
    )
    assert newest_model(tmp_path / "runs") == ""
    tensors = {
        "model.diffusion_model.input_blocks.0.0.weight": (1, 4, 1, 1),
        "model.diffusion_model.out.2.weight": (1, 1, 1, 1),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (1, 768),
        "cond_stage_model.transformer.text_model.x": (1,),
    }
    write_header(run / "output" / "last.safetensors", tensors, {})
    look = look_at(str(run))
    assert look == Look("a whole model (last.safetensors)", True, prompt="sls frog in the snow"), look
    async with open_screen() as (app, _pilot):
        assert app.screen.query_one("#model", Input).value == str(run)
        assert app.screen.query_one("#prompt", Input).value == "sls frog in the snow"


def test_everything_wrong_is_said_at_once():
    with pytest.raises(UserError) as caught:
        request_of(Fields(seed="x", prompt=" ", steps="0", scale="7,5", size="1"), out="o")
    assert caught.value.problems == [
        "there is no model: name one, or a run",
        "the seed must be a number, not x",
        "the scale must be a number, not 7,5",
        "the size is W,H in pixels, such as 512,768, not 1",
        "there is no prompt: say what to draw",
        "the steps must be a whole number from 1 to 1000, not 0",
    ]


def test_pairs_stand_beside_each_other():
    drawn = [Drawn(Path(f"{name}.png"), "x", 1, "base" in name) for name in ("1", "2", "1-base")]
    assert [each.path.stem for each in Progress(pictures=drawn).in_pairs] == ["1", "1-base", "2"]
