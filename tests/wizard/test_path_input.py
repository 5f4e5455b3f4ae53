import threading

import pytest
from textual.app import App
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Input

import dbtui.wizard.widgets.path_input as module
from dbtui.wizard.completion import Entry, Listing, common_beginning, completed, list_folder, matches, split
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.widgets.path_input import PathInput
from tests.wizard.conftest import screen_text, settle, until


@pytest.fixture
def places(tmp_path):
    """The current folder with models, and one name that no terminal may get."""
    here = tmp_path / "here"
    for name in ("models", "music", ".hidden"):
        (here / name).mkdir()
    for name in ("sd10.safetensors", "sd9.safetensors", "notes.txt", "[b]x.ckpt", "a\x1b]0;t\x07.ckpt"):
        (here / "models" / name).touch()
    return here


class _Asks(App):
    BINDINGS = [Binding("escape", "back", "back")]  # noqa: RUF012

    def __init__(self, **options):
        super().__init__()
        self.options = options
        self.told, self.submitted, self.backs = [], [], 0

    def compose(self):
        with VerticalScroll(can_focus=False):
            yield PathInput(**self.options)
            yield Input(id="other")

    @property
    def field(self):
        return self.query_one(PathInput)

    def on_input_changed(self, event):
        self.told.append(event.value)

    def on_input_submitted(self, event):
        self.submitted.append(event.value)

    def action_back(self):
        self.backs += 1


async def typed(pilot, text):
    await pilot.press(*("full_stop" if each == "." else "slash" if each == "/" else each for each in text))
    await settle(pilot)


def test_a_folder_is_listed_as_people_count_and_only_what_is_wanted(places):
    listing = list_folder(places / "models", {".safetensors"})
    assert [entry.name for entry in listing.entries] == ["sd9.safetensors", "sd10.safetensors"]
    assert list_folder(places, ()).entries == tuple(Entry(n, True) for n in (".hidden", "models", "music"))
    assert len(list_folder(places / "models", None).entries) == 5
    assert list_folder(places / "models", None, most=2).is_cut
    assert list_folder(places / "nowhere", None) == Listing()
    assert list_folder(places / "models" / "notes.txt", None) == Listing()


def test_what_can_be_meant(places):
    listing = list_folder(places, ())
    assert [entry.name for entry in matches(listing, "M")] == ["models", "music"]
    assert [entry.name for entry in matches(listing, "sic")] == ["music"]
    assert [entry.name for entry in matches(listing, "x/.h")] == [".hidden"]
    assert [entry.name for entry in matches(listing, "")] == ["models", "music"]
    hostile = list_folder(places / "models", {".ckpt"})
    assert [entry.name for entry in matches(hostile, "")] == ["[b]x.ckpt"]


def test_how_a_path_goes_on():
    assert split("~") == ("~", "")
    assert split("/a/b") == ("/a/", "b")
    assert completed("~", Entry("pictures", True)) == "~/pictures/"
    assert completed("a/b", Entry("bc.ckpt", False)) == "a/bc.ckpt"
    two = [Entry("model1", True), Entry("model2", True)]
    assert common_beginning("x/m", two) == "x/model"
    assert common_beginning("x/model", two) == "x/model"
    assert common_beginning("x/del", two) == "x/del"
    assert common_beginning("x/del", two[:1]) == "x/model1/"


async def test_tab_completes_as_far_as_it_is_clear_then_goes_on(places):
    app = _Asks(suffixes={".safetensors", ".ckpt"})
    async with app.run_test(size=(60, 14)) as pilot:
        await typed(pilot, "m")
        assert "models/" in screen_text(app)
        assert "music/" in screen_text(app)
        await typed(pilot, "o")
        await pilot.press("tab")
        await settle(pilot)
        assert app.field.value == "models/"
        assert "[b]x.ckpt" in screen_text(app)
        assert "notes.txt" not in screen_text(app)
        await typed(pilot, "s")
        await pilot.press("tab", "tab")
        assert app.field.value == "models/sd"
        assert app.focused.id == "other"


async def test_the_list_is_chosen_from_and_enter_without_a_choice_goes_on(places):
    app = _Asks(suffixes={".safetensors"})
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("down")
        await settle(pilot)
        await pilot.press("down", "down", "up", "enter")
        await settle(pilot)
        assert (app.field.value, app.submitted) == ("models/", [])
        await pilot.press("up", "enter")
        await settle(pilot)
        assert app.field.value == "models/sd10.safetensors"
        assert "sd9" not in screen_text(app)
        await pilot.press("enter")
        assert app.submitted == ["models/sd10.safetensors"]
        assert app.told[-1] == "models/sd10.safetensors"


async def test_escape_closes_the_list_first(places):
    app = _Asks()
    async with app.run_test(size=(60, 14)) as pilot:
        await typed(pilot, "m")
        await pilot.press("escape")
        assert "models/" not in screen_text(app)
        assert app.backs == 0
        await pilot.press("escape")
        assert app.backs == 1


async def test_a_name_can_be_clicked(places):
    app = _Asks()
    async with app.run_test(size=(60, 14)) as pilot:
        await typed(pilot, "m")
        await pilot.pause()
        lines = screen_text(app).splitlines()
        row = next(number for number, line in enumerate(lines) if "music/" in line)
        await pilot.click(offset=(lines[row].index("music"), row))
        await settle(pilot)
        assert app.field.value == "music/"


async def test_a_path_put_there_lists_nothing_and_control_characters_are_left_out(places):
    app = _Asks(value="m\x1b]0;x\x07")
    async with app.run_test(size=(60, 14)) as pilot:
        await settle(pilot)
        assert app.field.value == "m]0;x"
        app.field.set_silently("models/\u202e")
        await settle(pilot)
        assert app.field.value == "models/"
        assert "sd9" not in screen_text(app)
        assert "models/" not in app.told


async def test_a_folder_that_hangs_is_asked_once_and_holds_up_nothing(places, monkeypatch):
    asked, answer = [], threading.Event()

    def hangs(folder, suffixes):
        asked.append(folder)
        answer.wait(60)
        return Listing((Entry("late", True),))

    monkeypatch.setattr(module, "list_folder", hangs)
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    app = _Asks()
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("l", "a")
        await until(pilot, lambda: "takes long to answer" in screen_text(app), "it says so")
        assert len(asked) == 1
        answer.set()
        await until(pilot, lambda: "late/" in screen_text(app), "it answers")


async def test_an_error_in_the_thread_reaches_the_one_who_waits():
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_thread(fails)


async def test_leaving_does_not_wait_for_a_folder_that_hangs(places, monkeypatch):
    answer, asked = threading.Event(), threading.Event()

    def hangs(folder, suffixes):
        asked.set()
        answer.wait(60)
        return Listing()

    monkeypatch.setattr(module, "list_folder", hangs)
    try:
        async with _Asks().run_test(size=(60, 14)) as pilot:
            await pilot.press("l")
            await until(pilot, asked.is_set, "the folder is read")
        left = [thread for thread in threading.enumerate() if thread.name == "hangs"]
        assert [thread.daemon for thread in left] == [True]
    finally:
        answer.set()
    for thread in left:
        thread.join(60)
