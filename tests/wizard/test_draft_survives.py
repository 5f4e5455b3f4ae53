"""What was answered survives a connection that breaks, a kill, and a second dbtui."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.screen import Screen

from dbtui.wizard import draft_file
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import DraftFile, drafts_folder, left_drafts
from dbtui.wizard.draft_words import left_words
from tests.process.conftest import Terminal, wait_until
from tests.wizard.conftest import NARROW, screen_text, settle, until

OPEN = """
from pathlib import Path
from dbtui.wizard.open import open_wizard
from dbtui.wizard.options import AppOptions
raise SystemExit(open_wizard(AppOptions(Path("runs"))))
"""
F2, END = "\x1bOQ", "\x1b[F"
NOON = 1_772_366_400.0


def frog(step: str = "subject") -> Draft:
    draft = Draft(preset="sd15-12gb", step=step)
    draft.concept().update({"identifier": "sls", "class": "frog"})
    return draft


def leave(draft: Draft, at: float = NOON) -> Path:
    """Leave a draft on disk, as a dbtui that ended."""
    file = DraftFile.new()
    file.save(draft)
    file.release()
    os.utime(file.path, (at, at))
    return file.path


def files() -> list[str]:
    return sorted(path.name for path in drafts_folder().iterdir())


@pytest.fixture
def terminal() -> Iterator[Callable[[], Terminal]]:
    opened: list[Terminal] = []

    def open_terminal() -> Terminal:
        opened.append(Terminal([sys.executable, "-c", OPEN]))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_what_another_process_holds_is_not_offered():
    held = DraftFile.new()
    held.save(frog())
    left = leave(frog())
    assert [each.path for each in left_drafts()] == [left]
    assert {each.path for each in left_drafts(held)} == {left, held.path}
    assert DraftFile.take(held.path) is None
    held.release()
    assert len(left_drafts()) == 2


def test_a_look_at_the_list_of_another_process_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    path = leave(frog())
    held = [draft_file._lock(path)]
    monkeypatch.setattr(draft_file.time, "sleep", lambda _: os.close(held.pop()))
    assert DraftFile.take(path) is not None
    assert not held


async def test_what_another_process_answered_since_the_list_was_made_is_gone_on_with(open_app):
    path = leave(frog())
    async with open_app(size=NARROW) as (app, pilot):
        app.continue_draft()
        await until(pilot, lambda: getattr(app.screen, "left", []), "it is listed")
        other = DraftFile.take(path)
        other.save(Draft(name="toad", step="training"))
        other.release()
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 2 and app.draft.step == "training", "it is open")
        assert app.draft.name == "toad"


def test_remains_of_a_write_that_was_killed_go_and_those_of_a_live_one_stay():
    held, left = DraftFile.new(), leave(frog())
    strays = [path.parent / f".tmp-{path.name}-{'0' * 12}" for path in (held.path, left)]
    for stray in strays:
        stray.write_text("{")
    left_drafts()
    assert [stray.exists() for stray in strays] == [True, False]
    held.release()


def test_a_file_system_without_locks_still_keeps_drafts(monkeypatch: pytest.MonkeyPatch):
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    path = leave(frog())
    assert [each.path for each in left_drafts()] == [path]
    assert DraftFile.take(path) is not None


def test_a_draft_in_words():
    draft = frog("pictures")
    (left,) = [leave(draft)] and left_drafts()
    assert left_words(left, NOON + 86400) == "sls frog · step 4 of 8, pictures · yesterday 12:00"
    draft.concepts[0] = {"instance_dir": "/home/me/\x1b[31mphotos"}
    leave(draft, NOON + 1)
    assert left_words(left_drafts()[0], NOON + 2).startswith(r"\x1b[31mphotos · ")


async def test_a_left_draft_is_gone_on_with_at_its_step(open_app, looks_like, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("time.time", lambda: NOON + 3600)
    leave(frog("pictures"), NOON - 86400)
    newest = frog("training")
    newest.concept()["class"] = "[b]toad\x1b[2J"
    leave(newest)
    async with open_app(size=NARROW) as (app, pilot):
        app.push_screen(Screen())  # nothing of home behind it
        app.continue_draft()
        await until(pilot, lambda: "toad" in screen_text(app), "they are listed")
        await until(pilot, lambda: "discard" in screen_text(app), "the keys are shown")
        await looks_like(pilot, "continue_draft")
        await pilot.press("enter")
        await until(pilot, lambda: app.draft.step == "training" and len(app.screen_stack) == 2, "it is open")
        assert (app.draft.tables, app.draft.preset) == (newest.tables, newest.preset)
        app.draft.set("train.max_steps", 5)
        app.draft_changed()
    assert {json.loads(each.read_text())["step"] for each in drafts_folder().glob("*.json")} == {
        "pictures",
        "training",
    }


async def test_discarding_takes_two_keys(open_app):
    leave(frog())
    async with open_app(size=NARROW) as (app, pilot):
        app.continue_draft()
        await until(pilot, lambda: getattr(app.screen, "left", []), "it is listed")
        await pilot.press("d")
        await until(pilot, lambda: "Press d again" in screen_text(app), "it asks once more")
        assert len(left_drafts()) == 1
        await pilot.press("d")
        await until(pilot, lambda: "There are none" in screen_text(app), "it is gone")
        await pilot.press("escape")
        await settle(pilot)
    assert files() == []


async def test_a_new_run_leaves_the_draft_before_it_where_it_is(open_app):
    async with open_app(size=NARROW, step="goal", draft=frog()) as (app, pilot):
        app.new_run()
        await settle(pilot)
        assert not app.draft.is_begun
        app.new_run(Draft(name="another"))
        await settle(pilot)
    names = {each.draft.name for each in left_drafts()}
    assert names == {"", "another"}


async def test_a_folder_that_cannot_be_written_is_said_once(open_app, tmp_path: Path):
    (tmp_path / "state").write_text("")
    async with open_app(size=NARROW, step="goal", draft=frog()) as (app, pilot):
        for steps in (1, 2):
            app.draft.set("train.max_steps", steps)
            app.draft_changed()
            app._save_now()
        await pilot.pause()
        assert len(app._notifications) == 1
        assert "cannot be kept" in next(iter(app._notifications)).message


def on_disk() -> str:
    return "".join(path.read_text() for path in drafts_folder().glob("*.json"))


def type_a_name(opened: Terminal, name: str) -> None:
    """Answer something in the last step, as a person does."""
    opened.wait_for("new run")
    opened.type("n")
    opened.wait_for("1 goal")
    opened.type(F2)
    opened.wait_for("Go to")
    opened.type(END + "\r")
    opened.wait_for("To mend")
    before = len(opened.text)
    opened.type("n")
    wait_until(lambda: "⏎" in opened.text[before:], "the name has the focus", 60)
    opened.type(name)


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGHUP", "the line is gone"])
def test_answers_survive_the_end_of_the_process(terminal, end: str):
    """At most the last half second is lost: what was typed before that is there when it is opened again."""
    opened = terminal()
    type_a_name(opened, "frog")
    wait_until(lambda: (opened.text, '"name": "frog"' in on_disk())[1], "it is saved")
    assert left_drafts() == [], "it is held by who writes it"
    opened.type("s")
    if end == "the line is gone":
        opened.hang_up()
        opened.process.wait(60)
    else:
        opened.process.send_signal(signal.Signals[end])
        opened.end(60)
    (left,) = left_drafts()
    assert left.draft.name in {"frog", "frogs"}
    assert left.draft.step == "review"


def test_opened_again_it_goes_on_where_it_was(terminal):
    left = leave(Draft(name="frog", step="review"))
    opened = terminal()
    opened.wait_for("frog")
    opened.type("c")
    opened.wait_for("not started yet")
    opened.wait_for("step 8 of 8")
    opened.type("\r")
    opened.wait_for("To mend")
    assert left_drafts() == []
    opened.process.kill()
    opened.end()
    assert [each.path for each in left_drafts()] == [left]


async def test_a_signal_saves_what_was_answered_just_now(open_app):
    async with open_app(size=NARROW, step="goal", draft=frog()) as (app, pilot):
        app.draft_changed()
        app.leave()
        await pilot.pause()
    (left,) = left_drafts()
    assert left.draft.concepts == frog().concepts
