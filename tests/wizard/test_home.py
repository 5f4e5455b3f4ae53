"""Home: the list of runs, what is told of one, and the keys."""

import threading
import time
from pathlib import Path

import pytest
from rich.text import Text

from dbtui.dashboard.state import Preview
from dbtui.wizard.home import runs_table as runs_table_module
from dbtui.wizard.home.rows import lines_of, preview_path, row_of
from dbtui.wizard.home.runs_table import RunsTable
from dbtui.wizard.screens.home import HomeScreen
from dbtui.wizard.screens.monitor import MonitorScreen
from dbtui.wizard.widgets import gpu_line
from dbtui.wizard.widgets.gpu_line import gpu_words
from dbtui.wizard.widgets.row_list import RowList
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire
from trainer_core.run.machine import GpuReading

from .conftest import NARROW, WIDE, screen_text, settle, until
from .run_files import make_run

CARD = GpuReading(
    "NVIDIA GeForce RTX 3090", "580", 0, 40, 30, vram_used_gb=0.9, vram_total_gb=24.0, capability=(8, 6)
)
OUT_OF_MEMORY = "12.1 GB of VRAM are needed and 11.4 are free: set memory.gradient_checkpointing = true"


class StillMonitor:
    """A driver that has answered already."""

    has_answered = True

    def __init__(self, interval: float) -> None:
        pass

    def latest(self) -> GpuReading:
        return CARD

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def card(monkeypatch):
    monkeypatch.setattr(gpu_line, "GpuMonitor", StillMonitor)
    monkeypatch.setattr(gpu_line, "_SHOW_EVERY", 0.01)
    monkeypatch.setattr(runs_table_module, "_LOOK_EVERY", 0.2)


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def filled(runs_dir: Path) -> Path:
    make_run(runs_dir, "ukj-person-1", 640, code=75, text="stopped")
    make_run(runs_dir, "sls-frog-1", 12, code=8, text=OUT_OF_MEMORY)
    make_run(runs_dir, "sls-frog-2", 1600, code=0, previews=(0, 1600))
    make_run(runs_dir, "waiting-1")
    return runs_dir


async def known(pilot) -> RunsTable:
    """Wait until every run was looked at, and all is drawn."""
    table = pilot.app.screen.query_one(RunsTable)
    await until(pilot, lambda: table.is_known, "every run is known")
    await until(pilot, lambda: "RTX" in screen_text(pilot.app), "the card is told")
    await settle(pilot)
    return table


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_a_first_visit(open_app, looks_like, size, name):
    async with open_app(size=size) as (_, pilot):
        await known(pilot)
        await looks_like(pilot, f"home-empty-{name}")


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_with_runs(open_app, looks_like, filled, size, name):
    async with open_app(size=size) as (app, pilot):
        await known(pilot)
        await pilot.press("down")
        await until(pilot, lambda: "last preview" in screen_text(app), "the preview is told")
        await settle(pilot)
        await looks_like(pilot, f"home-filled-{name}")


async def test_a_failure_is_told(open_app, looks_like, filled):
    async with open_app(size=NARROW) as (app, pilot):
        await known(pilot)
        await pilot.press("down", "down")
        await until(pilot, lambda: "12.1 GB" in screen_text(app), "the reason is told")
        await looks_like(pilot, "home-failed-narrow")


async def test_a_run_appears_and_goes(open_app, filled):
    async with open_app() as (app, pilot):
        table = await known(pilot)
        assert table.row.name == "waiting-1"
        make_run(filled, "new-1", 3)
        await until(pilot, lambda: "new-1" in screen_text(app), "the new run is listed")
        assert table.row.name == "waiting-1"
        (filled / "waiting-1" / "run.toml").unlink()
        await until(pilot, lambda: "waiting-1" not in screen_text(app), "the removed one is not")


async def test_a_live_run_goes_on(open_app, runs_dir):
    run = make_run(runs_dir, "sls-frog-1", 5)
    lock = acquire(run)
    try:
        async with open_app() as (app, pilot):
            await until(pilot, lambda: "1 run, 1 live" in screen_text(app), "it is live")
            assert "step 5/1600" in screen_text(app)
            with run.events.open("ab") as file:
                file.write(b'{"t":1.75e9,"mono":99,"kind":"step","step":6,"loss":0.25}\n')
            await until(pilot, lambda: "step 6/1600" in screen_text(app), "the next step is told")
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("key", "screen"),
    [("p", "PresetsScreen"), ("m", "ModelsScreen"), ("g", "GenerateScreen"), ("h", "DoctorScreen")],
)
async def test_the_other_places(open_app, key, screen):
    async with open_app() as (app, pilot):
        await known(pilot)
        await pilot.press(key)
        await until(pilot, lambda: type(app.screen).__name__ == screen, f"{screen} is open")
        names = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Home: runs", "Home: presets", "Home: models", "Home: generate", "Home: doctor"} <= names


async def test_search(open_app, filled):
    async with open_app() as (app, pilot):
        await known(pilot)
        await pilot.press("slash", *"FROG", "enter")
        await pilot.pause()
        assert "2 of 4 runs" in screen_text(app)
        assert "ukj" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "ukj-person-1" in screen_text(app)
        assert app.screen.query_one(RowList).has_focus


async def test_enter_opens_and_escape_comes_back_to_the_same_run(open_app, filled):
    async with open_app() as (app, pilot):
        table = await known(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: not isinstance(app.screen, HomeScreen | MonitorScreen), "its result is open")
        assert "sls-frog-1 failed" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home is back")
        assert table.row.name == "sls-frog-1"


async def test_delete_asks_first(open_app, filled):
    async with open_app() as (app, pilot):
        await known(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "Delete waiting-1?" in screen_text(app), "it asks")
        await pilot.press("n")
        assert (filled / "waiting-1").exists()
        await pilot.press("d")
        await until(pilot, lambda: "Delete waiting-1?" in screen_text(app), "it asks again")
        await pilot.press("enter")  # by habit
        await pilot.pause()
        assert (filled / "waiting-1").exists()
        await pilot.press("y")
        await until(pilot, lambda: not (filled / "waiting-1").exists(), "it is gone")
        await until(pilot, lambda: "3 runs" in screen_text(app), "the list tells so")


async def test_a_run_that_came_to_life_meanwhile_is_not_deleted(open_app, filled):
    async with open_app() as (app, pilot):
        await known(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "Delete waiting-1?" in screen_text(app), "it asks")
        lock = acquire(RunDirectory(filled / "waiting-1"))
        try:
            await pilot.press("y")
            await until(pilot, lambda: "was not deleted" in screen_text(app), "it refuses")
            assert "is being trained" in screen_text(app)
        finally:
            lock.release()
        assert (filled / "waiting-1").exists()


async def test_a_link_is_not_deleted_and_what_cannot_be_resumed_is_told(open_app, filled, tmp_path):
    moved = (filled / "waiting-1").rename(tmp_path / "elsewhere")
    (filled / "waiting-1").symlink_to(moved)
    async with open_app() as (app, pilot):
        await known(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "is a link to" in screen_text(app), "it refuses")
        assert (moved / "run.toml").exists()
        await pilot.press("escape")
        await pilot.press("r")
        await until(pilot, lambda: "waiting-1 cannot be resumed" in screen_text(app), "it is told")
        assert "/models/v1-5-pruned.safetensors" in screen_text(app)


def step_of(app, name: str) -> str:
    rows = app.screen.query_one(RunsTable).rows
    return next((row.cells[2].plain for row in rows if row.name == name), "")


async def test_many_runs_never_hold_up_the_keys(open_app, runs_dir, monkeypatch):
    """The first look at them waits in a thread; what is known is listed, and keys are answered."""
    for number in range(300):
        (runs_dir / f"run-{number}").mkdir()
        (runs_dir / f"run-{number}" / "run.toml").write_text("schema = 1\n")
    allowed = threading.Event()
    real = runs_table_module._rows_after

    def slow(*arguments):
        rows = real(*arguments)
        allowed.wait(60)
        return rows

    monkeypatch.setattr(runs_table_module, "_rows_after", slow)
    async with open_app(size=NARROW) as (app, pilot):
        await pilot.press("f1")
        await until(
            pilot, lambda: "# Home" not in screen_text(app) and "lose the" in screen_text(app), "help opens"
        )
        await pilot.press("escape")
        allowed.set()
        await until(pilot, lambda: "300 runs" in screen_text(app), "all are listed")
        events = runs_dir / "run-7" / "events.jsonl"
        events.write_text('{"t":1.75e9,"mono":1,"kind":"step","step":1,"loss":0.5}\n')
        await until(pilot, lambda: step_of(app, "run-7") == "step 1", "its step is seen")
        drawn = []
        monkeypatch.setattr(RowList, "_refresh_row", lambda self, place: drawn.append(place))
        with events.open("a") as file:
            file.write('{"t":1.75e9,"mono":2,"kind":"step","step":2,"loss":0.5}\n')
        await until(pilot, lambda: step_of(app, "run-7") == "step 2", "its next step is seen")
        await settle(pilot)
        assert len(set(drawn)) == 1  # that row alone


async def test_a_disk_that_does_not_answer(open_app, filled, monkeypatch):
    allowed = threading.Event()
    monkeypatch.setattr(runs_table_module, "_SLOW", 0.0)
    monkeypatch.setattr(runs_table_module, "_rows_after", lambda *arguments: (allowed.wait(60), ([], False))[1])
    try:
        from dbtui.wizard.app import WizardApp
        from dbtui.wizard.options import AppOptions

        app = WizardApp(AppOptions(runs_dir=filled))
        async with app.run_test(size=NARROW) as pilot:
            await until(pilot, lambda: "does not answer" in screen_text(app), "it is told")
            await pilot.press("f1")
            await until(pilot, lambda: len(app.screen_stack) == 2, "keys are answered")
            allowed.set()
    finally:
        allowed.set()


async def test_drafts_are_offered(open_app, filled):
    async with open_app() as (app, pilot):
        await known(pilot)
        app.draft.name = "my-frog"
        app.draft_changed()
        app._save_now()
        app.screen._look_for_drafts()
        await until(pilot, lambda: "c  continue what you began: my-frog" in screen_text(app), "it is offered")


@pytest.mark.parametrize(
    ("path", "is_inside"),
    [
        ("samples/1.png", True),
        ("../other/1.png", False),
        ("/etc/passwd", False),
        ("samples/../../../1.png", False),
        ("samples/\0.png", False),
    ],
)
def test_a_preview_lies_in_the_runs_folder(tmp_path, path, is_inside):
    found = preview_path(RunDirectory(tmp_path / "frog"), Preview(1, path, "", 1))
    assert (found is not None) is is_inside


def test_columns_fit(tmp_path):
    rows = [row_of(RunDirectory(tmp_path / name), None, time.time()) for name in ("a", "a" * 64)]
    for width in (20, 40, 60, 76):
        assert all(line.cell_len <= max(width, 20) for line in lines_of(rows, width))
    assert lines_of([], 80) == []
    assert isinstance(lines_of(rows, 80)[0], Text)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (CARD, "RTX 3090 · 23.1 of 24.0 GB free"),
        (None, gpu_line.NONE),
        (GpuReading("\x1b[31mX", None, None, None, None, None, None), "\\x1b[31mX"),
    ],
)
def test_the_card_in_words(reading, words):
    assert gpu_words(reading) == words
