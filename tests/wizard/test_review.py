"""The last step: what would happen, what is wrong and where to mend it, start, write only, copy the command."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file
from textual.widgets import OptionList

from dbtui.doctor.graphics import Gpu, Gpus
from dbtui.runs.find import find_runs
from dbtui.runs.launch import TrainerProcess, launch
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import left_drafts
from dbtui.wizard.options import AppOptions
from dbtui.wizard.pictures.caption_edits import keep, open_caption
from dbtui.wizard.review.reviewed import Reviewed, review
from dbtui.wizard.screens.monitor import MonitorScreen
from dbtui.wizard.screens.write_file import WriteFile
from dbtui.wizard.steps.order import STEPS
from dbtui.wizard.steps.review import ReviewScreen
from tests.process.conftest import FAKE_TRAINER
from tests.unit.plan.conftest import TENSORS
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from trainer_core.config.reader import read_config
from trainer_core.config.schema import Dataset
from trainer_core.data.dataset import Picture
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive, lock_holder

TRAINED = 3
"""Steps."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is as long on every machine, so that lines break at the same places."""
    folder = Path(tempfile.mkdtemp(prefix="dbtui-", dir="/tmp"))
    for number in range(4):
        picture = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
        (folder / "frog").mkdir(exist_ok=True)
        picture.save(folder / "frog" / f"{number}.png")
    save_file(
        {name: numpy.zeros(shape, numpy.float16) for name, shape in TENSORS.items()}, folder / "sd15.safetensors"
    )
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same card and disk everywhere."""
    usage = namedtuple("usage", "total used free")(10**11, 0, 10**11)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr("trainer_core.plan.fleeting", lambda places: [])
    monkeypatch.setattr("dbtui.runs.logout.logout_warning", lambda: "")
    gpus = Gpus((Gpu("RTX 3060", total_gb=12.0, free_gb=11.4),), first=0)
    monkeypatch.setattr("dbtui.doctor.graphics.find_gpus", lambda: gpus)


def answered(place: Path) -> Draft:
    draft = Draft(preset="sd15-12gb", step="review")
    draft.set("model.base", str(place / "sd15.safetensors"))
    draft.set("dataset.resolution", [64, 64])
    draft.set("train.max_steps", 40)
    draft.concept().update(
        {"identifier": "sls", "class": "frog", "instance_dir": str(place / "frog"), "repeats": 10}
    )
    return draft


def wrong(place: Path) -> Draft:
    """A model that is gone and a torn picture of a hostile name."""
    draft = answered(place)
    draft.set("model.base", str(place / "gone.safetensors"))
    (place / "frog" / "[red]\x1b[31mtorn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return draft


async def reviewed(app, pilot) -> None:
    await until(pilot, lambda: app.screen.reviewed is not None, "everything is looked at")
    await settle(pilot)
    await until(pilot, lambda: "n name" in screen_text(app), "the keys are shown")


@pytest.fixture
def written_as(written_as: dict[str, str], place: Path) -> dict[str, str]:
    return written_as | {place.name: "dbtui-xxxxxxxx"}  # in as many letters


@pytest.fixture
def open_review(open_app, place: Path) -> Callable[..., object]:
    """Open the review of a draft; runs lie in the test's folder, which is the current one."""

    @asynccontextmanager
    async def opened(draft: Draft, size: tuple[int, int] = NARROW):
        async with open_app(size=size) as (app, pilot):
            app.options = AppOptions(Path("runs"))
            app.draft = draft
            app.go_to(STEPS[-1])
            await reviewed(app, pilot)
            yield app, pilot

    return opened


@pytest.mark.parametrize(("size", "name"), [(NARROW, "review_narrow"), (WIDE, "review_wide")])
async def test_what_will_happen(open_review, looks_like, place: Path, size: tuple[int, int], name: str):
    async with open_review(answered(place), size) as (_, pilot):
        await looks_like(pilot, name)
        await pilot.press("tab")
        await settle(pilot)
        await looks_like(pilot, f"{name}_file")


async def test_nothing_answered_yet(open_review, looks_like):
    async with open_review(Draft(), NARROW) as (app, pilot):
        await looks_like(pilot, "review_empty")
        await pilot.press("s")
        assert "mend this first" in screen_text(app)
        await pilot.press("w", "c")
        await settle(pilot)
        assert len(app.screen_stack) == 2


async def test_what_is_wrong_is_mended_one_after_the_other(open_review, looks_like, place: Path):
    async with open_review(wrong(place), NARROW) as (app, pilot):
        await looks_like(pilot, "review_wrong")
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "model"
        assert "gone.safetensors" in screen_text(app)
        assert "F6 goes back to the review" in screen_text(app)
        app.draft.set("model.base", str(place / "sd15.safetensors"))
        await pilot.press("f6")
        await reviewed(app, pilot)
        assert [mend.step.name for mend in app.screen.reviewed.mends] == ["pictures"]
        await pilot.press("s")
        assert "mend this first" in screen_text(app)
        app.screen.query_one(OptionList).focus()
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "pictures"
        next((place / "frog").glob("*torn.png")).unlink()
        await pilot.press("f6")
        await reviewed(app, pilot)
        assert app.screen.reviewed.can_start
        assert find_runs(app.options.runs_dir) == []


async def test_answers_that_no_run_would_keep_are_mended_first(open_review, place: Path):
    """A text that is no value, and captions that were edited and not written."""
    draft = answered(place)
    draft.aside["typed"] = {"train.batch_size": "many"}
    seen = open_caption(
        Picture(path=place / "frog" / "0.png", size=(64, 64), caption="", caption_from="prompt"),
        Dataset(),
        "",
        draft,
    )
    assert keep(draft, seen, "a frog")
    async with open_review(draft, NARROW) as (app, pilot):
        assert [mend.step.name for mend in app.screen.reviewed.mends] == ["training", "pictures"]
        assert "1 edited caption not in the files yet" in screen_text(app)
        assert "batch_size" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "training"
        await pilot.press("f3")
        await settle(pilot)
        await pilot.press("f6")
        await reviewed(app, pilot)


async def test_a_wrong_card_and_a_logout_are_told(open_review, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dbtui.doctor.graphics.find_gpus", lambda: Gpus(failure="the driver hangs\x1b[2J"))
    monkeypatch.setattr("dbtui.runs.logout.logout_warning", lambda: "this system ends all processes")
    async with open_review(answered(place), NARROW) as (app, _):
        text = screen_text(app)
        assert "no graphics card was found" in text
        assert r"hangs\x1b[2J" in text
        assert "this system ends all processes" in text
        assert app.screen.reviewed.can_start


async def test_the_file_is_written_and_another_is_not_overwritten(open_review, looks_like, place: Path):
    (place / "mine.toml").write_text("mine")
    async with open_review(answered(place), NARROW) as (app, pilot):
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteFile), "it asks for a name")
        await pilot.pause()
        await until(pilot, lambda: "cancel" in screen_text(app), "the keys are shown")
        await looks_like(pilot, "write_file")
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: "ctrl+r" in screen_text(app), "it asks")
        await pilot.pause()
        await looks_like(pilot, "write_file_taken")
        await pilot.press("enter")
        await pilot.pause()
        assert (place / "mine.toml").read_text() == "mine"
        await pilot.press("x", "ctrl+r")
        await pilot.pause()
        assert (place / "mine.toml").read_text() == "mine", "that was meant for another name"
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: "ctrl+r" in screen_text(app), "it asks again")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(app.screen_stack) == 2, "it is written")
        found = app.screen.reviewed
        assert (place / "mine.toml").read_text() == found.text
        assert read_config(place / "mine.toml") == found.config
        assert f"✓ written, nothing was started:\n dbtui run {place}/mine.toml\n" in screen_text(app)
        assert find_runs(app.options.runs_dir) == []


async def test_the_command_is_copied_and_its_file_is_written_first(open_review, place: Path):
    (place / "frog-7.toml").write_text("mine")
    async with open_review(answered(place), WIDE) as (app, pilot):
        await pilot.press("n", *"frog-7", "enter", "c")
        await until(pilot, lambda: app.clipboard, "it is copied")
        assert app.clipboard == f"dbtui run {place}/frog-7-2.toml --name frog-7"
        assert (place / "frog-7.toml").read_text() == "mine"
        app.go_by(-1)
        await settle(pilot)
        await pilot.press("f6")
        await reviewed(app, pilot)
        assert app.screen.reviewed.written == f"{place}/frog-7-2.toml"
        app.draft.set("train.max_steps", 41)
        await pilot.press("r")
        await reviewed(app, pilot)
        assert app.screen.reviewed.written == "", "it is not what would be trained any more"
        assert "max_steps = 41" in app.screen.reviewed.text


async def test_a_name_that_cannot_be_is_told_while_it_is_typed(open_review, place: Path):
    (place / "runs" / "frog").mkdir(parents=True)
    async with open_review(answered(place), WIDE) as (app, pilot):
        await pilot.press("n", *"frog")
        assert "there is a run named frog" in screen_text(app)
        await pilot.press("enter", "s")
        await settle(pilot)
        assert [run.name for run in find_runs(app.options.runs_dir)] == []
        assert app.focused.id == "name"
        await pilot.press(*"s/x")
        assert "cannot be the name" in screen_text(app)
        await pilot.press("backspace", "backspace")
        assert app.draft.name == "s", "coming back to it, it is typed over"


@pytest.fixture
def fake_trainer(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[Event]:
    """Runs are trained by the fake trainer, once the event is set; whatever trains at the end is killed."""
    go = Event()

    def launch_fake(run: RunDirectory) -> TrainerProcess:
        assert go.wait(60)
        return launch(run, FAKE_TRAINER)

    monkeypatch.setattr("dbtui.wizard.review.start.launch", launch_fake)
    yield go
    go.set()
    for run in find_runs(place / "runs"):
        if is_alive(run) and (holder := lock_holder(run)):
            os.kill(holder.pid, signal.SIGKILL)


async def test_the_very_configuration_that_is_shown_is_started(open_review, place: Path, fake_trainer: Event):
    draft = answered(place)
    async with open_review(draft, NARROW) as (app, pilot):
        app.draft_changed()
        app._save_now()
        assert len(app.keeper.left()) == 1
        shown = app.screen.reviewed.text
        draft.set("train.max_steps", 7)  # too late
        await pilot.press("s", "s", "escape", "r", "w", "c")
        assert isinstance(app.screen, ReviewScreen)
        assert "starting the trainer" in screen_text(app)
        fake_trainer.set()
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen), "it is watched")
        (run,) = find_runs(app.options.runs_dir)
        assert (run.name, run.run_toml.read_text()) == ("sls-frog-1", shown)
        assert is_alive(run)
        assert not app.draft.is_begun
        for process in app.trainers:
            process.send(signal.SIGKILL)
            process.wait(20)
    assert left_drafts() == []


async def test_a_trainer_that_cannot_be_started_leaves_everything_as_it_was(open_review, place: Path, monkeypatch):
    def refuse(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("dbtui.wizard.review.start.launch", refuse)
    async with open_review(answered(place), NARROW) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: "cannot be started" in screen_text(app), "it is told")
        assert find_runs(app.options.runs_dir) == []
        assert list(app.options.runs_dir.glob("[!.]*")) == []
        assert app.draft == answered(place)
        assert app.screen.reviewed.can_start


async def test_an_old_plan_is_not_shown_while_a_new_one_is_made(open_review, place: Path, monkeypatch):
    go = Event()

    def slow(draft: Draft, runs_dir: Path, progress: Callable[[int, int], None]) -> Reviewed:
        progress(12, 48)
        assert go.wait(60)
        return review(draft, runs_dir)

    async with open_review(answered(place), NARROW) as (app, pilot):
        monkeypatch.setattr("dbtui.wizard.steps.review.review", slow)
        app.draft.concept()["repeats"] = 11
        await pilot.press("r")
        await until(pilot, lambda: "12 of 48" in screen_text(app), "it says how far it is")
        assert "40 pictures" not in screen_text(app)
        assert "schema = 1" not in screen_text(app)
        await pilot.press("s")
        assert "still looking" in screen_text(app)
        go.set()
        await reviewed(app, pilot)
        assert "44 pictures a pass" in screen_text(app)
        assert "still looking" not in screen_text(app)


async def test_a_run_that_was_started_is_watched_wherever_one_is_by_then(open_review, place: Path, fake_trainer):
    async with open_review(answered(place), NARROW) as (app, pilot):
        await pilot.press("s")
        app.new_run(Draft(name="another", step="goal"))
        await pilot.pause()
        fake_trainer.set()
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen), "it is watched")
        assert app.draft.name == "another", "the answers of another run are not forgotten for it"
        for process in app.trainers:
            process.send(signal.SIGKILL)
            process.wait(20)


@pytest.mark.parametrize("error", [UserError("the disk is gone", ExitCode.DISK), TypeError("the disk is gone")])
async def test_a_review_that_fails_is_told(open_app, place: Path, monkeypatch: pytest.MonkeyPatch, error):
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("dbtui.wizard.steps.review.review", refuse)
    async with open_app(size=NARROW, step="review", draft=answered(place)) as (app, pilot):
        await until(pilot, lambda: "r tries again" in screen_text(app), "it is told")
        assert "the disk is gone" in screen_text(app)
        await pilot.press("s")
        assert "still looking" not in screen_text(app)


def losses(run: RunDirectory) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in EventReader(run.events).poll() if event["kind"] == "step"}


@pytest.mark.slow  # test_walk.py has a shorter one
async def test_what_the_wizard_wrote_trains_the_same_without_it(open_review, place: Path, monkeypatch):
    """Started here and headless, of the same file: the same losses, to the last digit."""
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the same losses on every machine
    save_model(build_tiny(), place / "tiny", format="safetensors", precision=None, metadata={})
    draft = answered(place)
    draft.preset, draft.name = "", "frog"
    draft.set("model.base", str(place / "tiny.safetensors"))
    draft.set("optimizer.type", "adamw")
    draft.set("train.max_steps", TRAINED)
    draft.set("train.cpu_threads", 1)
    draft.set("train.workers", 1)
    async with open_review(draft, NARROW) as (app, pilot):
        await pilot.press("w", "enter")
        await until(pilot, lambda: (place / "frog.toml").exists() and len(app.screen_stack) == 2, "it is written")
        elsewhere = place / "elsewhere"
        command = [sys.executable, "-m", "dbtui", "run", place / "frog.toml", "--name", "frog"]
        headless = subprocess.Popen(
            [*command, "--runs-dir", elsewhere], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            await pilot.press("s")
            await until(pilot, lambda: app.trainers, "it is started", 120)
            (process,) = app.trainers
            await until(pilot, lambda: process.poll() is not None, "it is trained", 300)
            assert process.poll() == ExitCode.DONE
            assert headless.wait(300) == 0
        finally:
            headless.kill()
    (here,), (there,) = find_runs(app.options.runs_dir), find_runs(elsewhere)
    assert sorted(losses(here)) == list(range(1, TRAINED + 1))
    assert losses(here) == losses(there)
    assert here.run_toml.read_text() == there.run_toml.read_text()
