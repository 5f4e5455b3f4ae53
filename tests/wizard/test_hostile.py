"""Escape sequences, markup and direction marks from outside reach no screen, whatever brings them."""

import time
import unicodedata
from pathlib import Path

import pytest
from textual.screen import ModalScreen
from textual.widget import Widget

from dbtui.doctor import graphics
from dbtui.doctor.finding import Finding
from dbtui.doctor.graphics import Gpu, Gpus
from dbtui.runs.find import find_runs
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import load_draft
from dbtui.wizard.screens.generate import GenerateScreen
from dbtui.wizard.steps import hardware
from dbtui.wizard.steps.order import STEPS, step_named
from dbtui.wizard.widgets.row_list import RowList
from tests.wizard import hostile_world as world
from tests.wizard.conftest import NARROW, WIDE, screen_text
from trainer_core.text import safe_text

_BAD = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_PATIENCE = 3.0
_OPENS = {
    "goal": "f2 escape",
    "pictures": "p escape d l escape c escape w escape",
    "training": "f3 pagedown escape",
    "review": "w escape c",
}
"""Keys that open what lies behind a step."""
_RUNS = {"frog-1": ("enter l", "enter b", "d", "f", "r"), "frog-2": ("enter l", "r"), "frog-3": ("enter l",)}
"""Keys for a run that is done, one that failed, and one whose trainer is gone: what differs between them."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Hostile files wherever dbtui looks, and a driver that tells hostile names."""
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path / "config"))
    good, hostile = world.write_models(Path("models").absolute())
    plain, laid_out = world.write_pictures(tmp_path)
    world.write_presets(tmp_path / "config")
    for name, code in (("frog-1", 0), ("frog-2", 1), ("frog-3", None)):
        world.write_run(tmp_path / "runs", name, good, plain, code=code)
    left = world.write_draft(tmp_path / "state", world.HOSTILE_TABLES)
    gpus = Gpus((Gpu(world.TEXT, world.TEXT, 12.0, 11.4, (8, 6)),), "")
    for module in (graphics, hardware):
        monkeypatch.setattr(module, "find_gpus", lambda *_: gpus)
    return {"good": good, "hostile": hostile, "plain": plain, "laid_out": laid_out, "left": left}


class Watch:
    """Looks at everything that is shown."""

    def __init__(self, app, pilot, tabs):
        self.app, self.pilot, self.tabs, self.seen = app, pilot, tabs, ""

    async def look(self) -> None:
        await self.calm()
        for strip in self.app.screen._compositor.render_strips():
            self.check(strip.text, "the screen")
            for segment in strip:
                if segment.style:
                    colors = [
                        color.get_truecolor() for color in (segment.style.color, segment.style.bgcolor) if color
                    ]
                    assert world.COLOR not in [tuple(color) for color in colors], f"markup in {segment.text!r}"
                    assert "app.mine" not in str(segment.style.meta), segment
        self.seen += screen_text(self.app)
        for widget in self.app.screen.walk_children(Widget):
            for what in ("tooltip", "border_title", "border_subtitle"):
                self.check(str(getattr(widget, what, None) or ""), f"{what} of {widget}")
        for notification in self.app._notifications:
            self.check(notification.message + notification.title, "a notification")
        self.check(f"{self.app.title}{self.app.sub_title}", "the title")

    async def calm(self) -> None:
        """Wait for workers; one that waits for what a dialog answers waits on."""
        deadline = time.monotonic() + _PATIENCE
        await self.pilot.pause()
        while self.app.workers and not isinstance(self.app.screen, ModalScreen) and time.monotonic() < deadline:
            await self.pilot.pause(0.02)
        await self.pilot.pause()

    def check(self, text: str, where: str) -> None:
        bad = [each for each in text if unicodedata.category(each) in _BAD]
        assert not bad, f"{where} of {self.app.screen} holds {bad!r}:\n{safe_text(text, 400)}"

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.look()

    async def go_round(self) -> None:
        """Look at a screen from each of its fields, and further down."""
        await self.look()
        first = self.app.focused
        for _ in range(self.tabs):
            await self.press("tab", "down")
            if self.app.focused in (first, None):
                break

    async def back_home(self) -> None:
        while isinstance(self.app.screen, ModalScreen):
            await self.pilot.press("escape")
            await self.pilot.pause()
        self.app.go_home()
        await self.look()


def valid_draft(paths: dict[str, Path]) -> Draft:
    """Answers that hold, to files that are hostile."""
    draft = Draft(preset="sd15-12gb")
    draft.set("model.base", str(paths["good"]))
    draft.concept().update({"identifier": "sls", "class": "frog", "instance_dir": str(paths["plain"])})
    draft.set("sample.prompts", [{"prompt": "[#12ab34]x[/] a frog"}])
    return draft


@pytest.mark.row(43, 44)
@pytest.mark.parametrize(
    ("size", "tabs"),
    [
        pytest.param(WIDE, 0, id="120x40"),
        pytest.param(NARROW, 12, marks=pytest.mark.slow, id="80x24-from-each-field"),
    ],
)
async def test_nothing_from_outside_acts_on_the_terminal(size, tabs, open_app, made, tmp_path, capfd):
    async with open_app(size=size) as (app, pilot):
        watch = Watch(app, pilot, tabs)
        await watch.go_round()
        await places(app, watch)
        await runs(app, watch)
        left = load_draft(made["left"])
        laid_out = valid_draft(made)
        laid_out.concepts[0].pop("instance_dir")
        laid_out.set("dataset.train_dir", str(made["laid_out"]))
        other_model = valid_draft(made)
        other_model.set("model.base", str(made["hostile"]))
        for draft in (left, valid_draft(made)):
            await steps(app, watch, draft, STEPS)
        await steps(app, watch, laid_out, [step_named(name) for name in ("subject", "pictures")])
        await steps(app, watch, other_model, [step_named("model")])
        assert world.LITERAL in watch.seen  # it was there to be seen
    written = capfd.readouterr()
    for text in (written.out, written.err):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
    for path in (tmp_path / "state").rglob("*.json"):
        if "drafts" not in path.parts:
            assert "\x1b" not in path.read_text(), path


async def places(app, watch) -> None:
    """Presets, models, doctor, generate, the draft that was left."""
    for key in "pmg":
        await watch.press(key)
        await watch.go_round()
        await watch.back_home()
    app.push_screen(GenerateScreen(str(next(Path("models").glob("good*"))), "[#12ab34]x[/]"))
    await watch.go_round()
    await watch.press("f4", "enter", "escape", "escape")
    await watch.back_home()
    await doctor(app, watch)
    await watch.press("c", "down")
    await watch.back_home()


async def doctor(app, watch) -> None:
    from dbtui.wizard.screens.doctor import DoctorScreen

    found = [Finding(world.TEXT, world.TEXT, level, world.TEXT, world.TEXT) for level in ("ok", "note", "problem")]
    app.push_screen(DoctorScreen(lambda *_, **__: iter(found)))
    await watch.go_round()
    await watch.back_home()


async def runs(app, watch) -> None:
    """Each run: how it stands at home, its monitor or result, log and previews, what is asked about it."""
    assert {run.name for run in find_runs(app.options.runs_dir)} == _RUNS.keys()
    for name, ways in _RUNS.items():
        for keys in ways:
            await watch.back_home()
            app.screen.query_one(RowList).go_to(name)
            await watch.press(*keys.split())


async def steps(app, watch, draft: Draft, listed) -> None:
    """Each step, what it says to Enter, and what can be opened from it."""
    for step in listed:
        app.new_run(draft.copy())
        app.go_to(step)
        await watch.go_round()
        if step.name in _OPENS and draft.get("train.max_steps") is None:
            await watch.press(*_OPENS[step.name].split())
            app.go_to(step)
        await watch.press("enter")
    await watch.back_home()
