"""The monitor of a live run, and its result: what is shown, and what the keys ask of the trainer."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from textual.widgets import Input, RichLog

from dbtui.runs import launch as launch_module
from dbtui.runs import resume as resume_module
from dbtui.wizard.monitor.result import compared, result_of
from dbtui.wizard.monitor.watch import Watch
from dbtui.wizard.screens import monitor as monitor_module
from dbtui.wizard.screens import run_log as run_log_module
from dbtui.wizard.screens.home import HomeScreen
from dbtui.wizard.screens.monitor import MonitorScreen
from dbtui.wizard.screens.result import ResultScreen
from dbtui.wizard.screens.run_log import RunLogScreen
from dbtui.wizard.screens.run_previews import RunPreviewsScreen
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.errors import ExitCode, UserError
from trainer_core.report.previews import rows_of
from trainer_core.report.story import Preview
from trainer_core.run.lock import acquire, is_alive

from .conftest import NARROW, WIDE, screen_text, settle, until
from .run_files import EventFile, make_run

FAKE_TRAINER = Path(__file__).parents[1] / "process" / "fake_trainer.py"
GRADIENTS = "memory.gradient_checkpointing = false needs more memory than there is: set it to true"


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Look often, so that nothing here waits long."""
    monkeypatch.setattr(monitor_module, "_LOOK_EVERY", 0.1)
    monkeypatch.setattr(run_log_module, "_LOOK_EVERY", 0.1)


@pytest.fixture
def place():
    """A folder for runs whose path is always as long, so that lines break where they did."""
    folder = Path(tempfile.mkdtemp(prefix="dbtui-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def live(place):
    """A run that this very process holds, 412 steps on."""
    run = make_run(place, "sls-frog-3", 412, previews=(0, 400))
    lock = acquire(run)
    yield run
    lock.release()


@pytest.fixture
def written_as(place):
    return {str(place): "/tmp/dbtui-abcd1234"[: len(str(place))]}


def asked(run) -> list[str]:
    return [json.loads(line)["kind"] for line in run.control.read_text().splitlines()]


async def pictures_loaded(pilot) -> None:
    shown = [each for each in pilot.app.screen.query(Thumbnail) if each.display and each.source]
    await until(pilot, lambda: all(each.is_loaded for each in shown), "the pictures are read")
    await settle(pilot)


async def watched(pilot, run, words: str) -> None:
    pilot.app.watch_run(run)
    await until(pilot, lambda: words in screen_text(pilot.app), f"it says {words!r}")
    await settle(pilot)


def drawn_for_its_room(app) -> bool:
    return app.screen.picture.width == app.screen.query_one("#dashboard").size.width


async def ended(pilot, run) -> ResultScreen:
    pilot.app.watch_run(run)
    await until(pilot, lambda: isinstance(pilot.app.screen, ResultScreen), "the result is open")
    await until(pilot, lambda: pilot.app.screen.result, "it is read")
    await pictures_loaded(pilot)
    return pilot.app.screen


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_a_live_run(open_app, looks_like, live, size, name):
    async with open_app(size=size) as (app, pilot):
        await watched(pilot, live, "412/1600")
        await pictures_loaded(pilot)
        await until(pilot, lambda: drawn_for_its_room(app), "it is drawn for its room")
        await looks_like(pilot, f"monitor-{name}")


async def test_the_keys_ask_the_trainer(open_app, live):
    async with open_app() as (app, pilot):
        await watched(pilot, live, "412/1600")
        for key, note in [
            ("v", "a preview is asked for"),
            ("v", "a preview is asked for"),
            ("s", "a save is asked for"),
            ("space", "a pause is asked for"),
            ("x", "stopping: the trainer ends its step and saves"),
        ]:
            await pilot.press(key)
            await until(pilot, lambda note=note: note in screen_text(app), f"{key} is told")
        await settle(pilot)
        assert asked(live) == ["sample", "sample", "save", "pause", "stop"]
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home is open")
        assert asked(live)[-1] == "stop"


async def test_a_paused_run_goes_on(open_app, live):
    events = EventFile(live)
    events.add("phase", name="paused", total=None)
    events.write()
    async with open_app() as (app, pilot):
        await watched(pilot, live, "paused at step 412")
        assert "space go on" in screen_text(app)
        await pilot.press("v", "space")
        await until(pilot, lambda: live.control.exists() and asked(live), "it is asked")
        await settle(pilot)
        assert asked(live) == ["unpause"]


async def test_a_run_that_is_being_prepared_can_only_be_stopped(open_app, live):
    events = EventFile(live)
    events.add("phase", name="load", total=None)
    events.write()
    async with open_app() as (app, pilot):
        await watched(pilot, live, "loading the model")
        assert "space pause" not in screen_text(app)
        await pilot.press("v", "s", "space", "x")
        await until(pilot, lambda: live.control.exists() and asked(live), "it is asked")
        await settle(pilot)
        assert asked(live) == ["stop"]


async def test_when_it_ends_its_result_is_shown(open_app, place):
    run = make_run(place, "sls-frog-3", 20)
    lock = acquire(run)
    try:
        async with open_app() as (app, pilot):
            await watched(pilot, run, "20/1600")
            events = EventFile(run)
            events.end(20, 0, "done")
            events.write()
            lock.release()
            await until(pilot, lambda: isinstance(app.screen, ResultScreen), "the result is open")
            await until(pilot, lambda: "sls-frog-3 is done: 20 steps" in screen_text(app), "it is told")
    finally:
        lock.release()


async def test_a_disk_that_does_not_answer_keeps_nobody(open_app, live, monkeypatch):
    allowed = threading.Event()
    real = Watch.look
    async with open_app() as (app, pilot):
        await watched(pilot, live, "412/1600")
        monkeypatch.setattr(monitor_module, "_SLOW", 0.0)
        monkeypatch.setattr(Watch, "look", lambda *arguments: (allowed.wait(60), real(*arguments))[1])
        try:
            await until(pilot, lambda: "the disk has not answered" in screen_text(app), "it is told")
            assert "412/1600" in screen_text(app)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home is open")
        finally:
            allowed.set()


async def test_a_command_that_cannot_be_written_is_told(open_app, live):
    live.control.mkdir()
    async with open_app() as (app, pilot):
        await watched(pilot, live, "412/1600")
        await pilot.press("s")
        await until(pilot, lambda: "control.jsonl" in screen_text(app), "it is told")


async def test_a_real_process_from_its_start_to_a_stop(open_app, place):
    """The fake trainer of the process tests, watched from before it has the lock to its stop."""
    run = make_run(place, "sls-frog-1")
    with run.console_log.open("ab") as console:
        command = [sys.executable, str(FAKE_TRAINER), "--delay", "0.01", "--steps", "100000", str(run.path)]
        process = subprocess.Popen(command, stdout=console, stderr=console, start_new_session=True)
    try:
        async with open_app() as (app, pilot):
            app.watch_run(run)
            await until(pilot, lambda: "training" in screen_text(app), "it trains")
            await pilot.press("v")
            await until(pilot, lambda: "preview at step" in screen_text(app), "the preview was drawn")
            await pilot.press("l")
            await until(pilot, lambda: "sample: sample at step" in screen_text(app), "the log tells it")
            await pilot.press("escape", "x")
            await until(pilot, lambda: isinstance(app.screen, ResultScreen), "it stopped")
            await until(pilot, lambda: "sls-frog-1 stopped at step" in screen_text(app), "the result tells it")
            assert not is_alive(run)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_a_result(open_app, looks_like, place, size, name):
    run = make_run(place, "sls-frog-2", 200, code=0, previews=(0, 100, 200))
    async with open_app(size=size) as (_, pilot):
        screen = await ended(pilot, run)
        assert (screen.result.before.step, screen.result.after.step) == (0, 200)
        await looks_like(pilot, f"result-{name}")


async def test_a_failure_with_the_step_that_mends_it(open_app, looks_like, place):
    run = make_run(place, "sls-frog-1", 30, code=8, text=GRADIENTS)
    async with open_app() as (app, pilot):
        screen = await ended(pilot, run)
        assert [mend.key for mend in screen.result.mends] == ["memory.gradient_checkpointing"]
        await looks_like(pilot, "result-failed-narrow")
        await pilot.press("e")
        setting = re.compile("▸[• ]+memory.gradient_checkpointing")
        await until(pilot, lambda: setting.search(screen_text(app)), "the setting is asked for")
        assert app.draft.origin == "run sls-frog-1"
        assert app.draft.concepts[0]["identifier"] == "sls"


async def test_a_crash(open_app, place):
    run = make_run(place, "sls-frog-1", 30)
    run.console_log.write_text("loading\nTraceback \x1b[31mCUDA error: device-side assert\n")
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        assert "ended without a word" in re.sub(r"\s+", " ", screen_text(app))
        assert "\\x1b[31mCUDA error" in screen_text(app)


async def test_a_run_that_was_never_started(open_app, place, monkeypatch):
    run = make_run(place, "sls-frog-1")
    monkeypatch.setattr("dbtui.runs.follow.TIME_TO_START", -1.0)
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        assert "sls-frog-1 has not been started: r starts it" in screen_text(app)
        assert "r resume" in screen_text(app)


async def test_all_previews(open_app, looks_like, place):
    run = make_run(place, "sls-frog-2", 200, code=0, previews=(0, 100, 200))
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        await pilot.press("b")
        await until(pilot, lambda: "step 200 ✓ saved   3 of 3" in screen_text(app), "the newest is shown")
        await pilot.press("left")
        assert isinstance(app.screen, RunPreviewsScreen)
        await until(pilot, lambda: "step 100   2 of 3" in screen_text(app), "the one before is shown")
        await pictures_loaded(pilot)
        await looks_like(pilot, "previews-narrow")
        await pilot.press("left", "left", "escape")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen), "the result is back")


async def test_previews_side_by_side(open_app, place):
    run = make_run(place, "sls-frog-2", 200, previews=(0, 50, 100, 150, 200))
    events = EventFile(run)
    for step, loss, drift in ((0, 0.9, 0.0), (50, 0.5, 0.1), (100, 0.49, 0.3), (200, 0.48, 0.9)):
        if step:
            run.output.mkdir(exist_ok=True)
            (run.output / f"{step}.safetensors").touch()
            events.add("saved", step=step, path=f"output/{step}.safetensors", seconds=1.0, bytes=7)
        events.add("validation", step=step, loss=loss, drift=drift, held_out=0, measure="m")
    events.preview(200, "a frog")
    events.end(200, 0, "done")
    events.write()
    async with open_app(size=(80, 30)) as (app, pilot):
        await ended(pilot, run)
        assert "suggested" in screen_text(app)
        await pilot.press("b")
        await until(pilot, lambda: "5 of 5" in screen_text(app), "the newest is shown")
        await pilot.press("t")
        await until(pilot, lambda: "step 200 ✓" in screen_text(app), "the newest columns are shown")
        assert "a frog" in screen_text(app)
        assert "before" not in screen_text(app).splitlines()[3]
        await pilot.press("left")
        await until(pilot, lambda: "step 50 ★" in screen_text(app), "it moved to earlier steps")
        await until(pilot, lambda: "step 200" not in screen_text(app), "the newest went")
        await pilot.press("t", "escape")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen), "the result is back")


async def test_the_log(open_app, looks_like, place):
    run = make_run(place, "sls-frog-2", 25, code=75, text="stopped by SIGINT")
    run.console_log.write_text("a library says [bold]something[/bold] \x1b[2J\n")
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, RunLogScreen), "the log is open")
        await until(pilot, lambda: "[bold]something[/bold] \\x1b[2J" in screen_text(app), "its lines are there")
        await looks_like(pilot, "log-narrow")


async def test_a_long_log_keeps_its_order_and_is_shown_to_its_end(open_app, place, monkeypatch):
    monkeypatch.setattr(run_log_module, "_AT_ONCE", 3)
    run = make_run(place, "sls-frog-2", 1, code=75, text="stopped by SIGINT")
    run.console_log.write_text("".join(f"library line {number}\n" for number in range(100)))
    async with open_app() as (app, pilot):
        app.push_screen(RunLogScreen(run))
        await until(pilot, lambda: "library line 99" in screen_text(app), "its end is in sight")
        shown = [line.text for line in app.screen.query_one(RichLog).lines]
        numbers = [int(found[1]) for line in shown if (found := re.search(r"library line (\d+)", line))]
        assert numbers == list(range(100))


async def test_the_report_and_training_longer(open_app, place):
    run = make_run(place, "sls-frog-2", 25, code=0)
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        assert "report.html" not in screen_text(app)
        await pilot.press("o")
        await until(pilot, lambda: f"report    {run.report}" in screen_text(app), "its place is told")
        assert run.report.exists()
        await pilot.press("t")
        await until(pilot, lambda: "How many shall it be in all?" in screen_text(app), "it asks")
        app.screen.query_one(Input).value = ""
        await pilot.press(*"1600", "enter")
        await until(pilot, lambda: "type a whole number above 1600" in screen_text(app), "no more is no more")
        await pilot.press(*"0", "enter")
        await until(pilot, lambda: "sls-frog-2 cannot be resumed" in screen_text(app), "it left no state")
        assert "no state to go on from" in re.sub(r"\s+", " ", screen_text(app))


@pytest.fixture
def resumable(place, monkeypatch):
    """A stopped run; what is looked at before a resume is made up, its trainer is the fake one."""
    run = make_run(place, "sls-frog-1", 30, code=75, text="stopped")
    started, found = [], ["goes on after step 30, with these changes", "  pictures: 24 -> 25, added"]
    refusal = []

    def look(run, wishes, say):
        for line in found:
            say(line)
        if refusal and not wishes.allow_changed:
            raise UserError(refusal[0], ExitCode.RESUME)

    def fake(run, *, wishes):
        process = real(run, [sys.executable, str(FAKE_TRAINER), "--steps", "100000"])
        started.append((process, wishes))
        return process

    real = launch_module.launch
    monkeypatch.setattr(resume_module, "look_before_resume", look)
    monkeypatch.setattr(launch_module, "launch", fake)
    yield run, started, refusal
    for process, _ in started:
        process.process.kill()
        process.process.wait()


async def test_a_resume_tells_what_changed_and_watches(open_app, resumable):
    run, started, refusal = resumable
    async with open_app() as (app, pilot):
        await ended(pilot, run)
        await pilot.press("r")
        await until(pilot, lambda: "pictures: 24 -> 25, added" in screen_text(app), "the change is told")
        await pilot.press("n")
        assert started == []
        refusal.append("the state is of another training: pictures were 24 and are 25")
        await pilot.press("r")
        await until(pilot, lambda: "neither training" in screen_text(app), "the warning is told")
        await pilot.press("y")
        await until(
            pilot, lambda: isinstance(app.screen, MonitorScreen) and "training" in screen_text(app), "it trains"
        )
        ((process, wishes),) = started
        assert wishes.allow_changed
        assert app.trainers == [process]
        process.process.kill()
        await until(pilot, lambda: isinstance(app.screen, ResultScreen), "its end is seen")
        await until(pilot, lambda: "SIGKILL" in screen_text(app), "and how it ended")


def test_before_and_after_are_of_the_same_prompt_and_there(place):
    run = make_run(place, "sls-frog-2", 3, previews=(0, 1, 3))
    told = [Preview(step, f"samples/{step:06}-0.png", "a", 1) for step in (0, 1, 2, 3)]
    told += [Preview(3, "samples/000003-0.png", "b", 1), Preview(4, "../../x.png", "a", 1)]
    before, after = compared(run, rows_of(told))
    assert (before.step, after.step, after.prompt) == (0, 3, "a")
    before, after = compared(run, rows_of(told[4:]))
    assert (before, after.step) == (None, 3)
    assert compared(run, []) == (None, None)


def test_a_trainer_started_here_that_another_took_over_from(place):
    """A process of ours that is gone says nothing of a run that somebody else trains now."""
    run = make_run(place, "sls-frog-1", 5)

    class Gone:
        def __init__(self):
            self.run = run

        def poll(self):
            return 1

    assert Watch(run, [Gone()])._process() is not None
    lock = acquire(run)
    try:
        watch = Watch(run, [Gone()])
        assert watch._process() is None
        assert not watch.look(80, 24).has_ended
    finally:
        lock.release()


def test_a_result_is_read_of_damaged_files(place):
    run = make_run(place, "sls-frog-1", 5)
    run.events.write_bytes(b'{"kind":"failed","exit_code":"x","text":7}\n\xff\xfe{{\n[1]\n')
    run.run_toml.write_text("= nonsense")
    result = result_of(Watch(run))
    assert (result.before, result.length, result.model) == (None, None, None)
