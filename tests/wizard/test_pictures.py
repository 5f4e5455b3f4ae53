import shutil
import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from dbtui.wizard.answers import config_of, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures.found import Progress, StoppedError, scan_draft
from dbtui.wizard.widgets.gallery import Gallery
from dbtui.wizard.widgets.large_picture import LargePicture
from dbtui.wizard.widgets.thumbnail import Thumbnail
from tests.wizard.conftest import NARROW, WIDE, screen_text, until
from tests.wizard.drawn import break_off, draw

HOSTILE = "[@click=app.quit]\x1b]0;x\x07\u202e"


def draft_of(folder="", **concept) -> Draft:
    draft = Draft(preset="sd15-12gb")
    draft.concept().update({"identifier": "sls", "class": "frog", **concept})
    if folder:
        draft.concept()["instance_dir"] = str(folder)
    return draft


def examined(app):
    return app.screen.examined.is_done


async def shown(app, pilot):
    """Wait until everything is found and every picture of the page drawn."""
    await until(pilot, lambda: examined(app), "the pictures are found")
    gallery = app.screen.query_one(Gallery)
    if app.screen.examined.found and app.screen.examined.found.pictures:
        await until(
            pilot, lambda: len(gallery.entries) == len(app.screen.examined.found.pictures), "they are shown"
        )
        await until(
            pilot,
            lambda: all(_is_drawn(cell) for cell in gallery.query(Thumbnail) if cell.parent.display),
            "drawn",
        )
        if app.size.width >= 100:
            large = app.screen.query_one(LargePicture).query_one(Thumbnail)
            await until(pilot, lambda: _is_drawn(large), "the large one is drawn")
    await pilot.pause()
    await pilot.pause()


def _is_drawn(thumbnail: Thumbnail) -> bool:
    return thumbnail.is_loaded


async def look(app, pilot, folder) -> None:
    """Type a folder and wait until it is looked into by itself."""
    field = app.screen.query_one("#folder", Input)
    field.focus()
    field.value = str(folder)
    await until(pilot, lambda: app.screen.examined.folder == str(folder), "it is noticed")
    await shown(app, pilot)
    app.screen.query_one(Gallery).focus()
    await pilot.pause()


@pytest.mark.parametrize(("size", "name"), [(NARROW, "narrow"), (WIDE, "wide")])
async def test_empty_filled_and_in_error(open_app, looks_like, tmp_path, size, name):
    draw(tmp_path / "frogs", 7)
    (tmp_path / "frogs" / "frog-0.txt").write_text("sls frog, sitting on a leaf")
    async with open_app(size=size, step="pictures", draft=draft_of()) as (app, pilot):
        await pilot.pause()
        await looks_like(pilot, f"pictures_empty_{name}")
        await look(app, pilot, "../frogs")
        await looks_like(pilot, f"pictures_filled_{name}")
        draw(tmp_path / "frogs", 1, size=(20, 20), name="tiny")
        break_off(tmp_path / "frogs" / "cut off.png")
        await pilot.press("d")
        await shown(app, pilot)
        await pilot.press("enter")
        await pilot.pause()
        await looks_like(pilot, f"pictures_error_{name}")


async def test_a_plain_folder_is_the_subjects(open_app, tmp_path, monkeypatch):
    monkeypatch.setattr("dbtui.wizard.steps.pictures_look._TYPING", 60)  # so that it is Enter that looks
    draw(tmp_path / "frogs", 3)
    async with open_app(step="pictures", draft=draft_of()) as (app, pilot):
        await pilot.press("enter")
        assert 'choose the folder with the pictures of "sls frog"' in screen_text(app)
        app.screen.query_one("#folder", Input).value = str(tmp_path / "frogs")
        await pilot.press("enter")
        await shown(app, pilot)
        assert app.focused is app.screen.query_one(Gallery)
        app.draft.set("model.base", "model.safetensors")
        config = config_of(app.draft)
        assert config.dataset.train_dir is None
        assert (config.concept[0].instance_dir, config.concept[0].identifier) == (str(tmp_path / "frogs"), "sls")
        app.screen.query_one("#concept--repeats", Input).value = "20"
        await pilot.pause()
        assert "= 60" in screen_text(app)
        assert resolved(app.draft).concept[0].repeats == 20
        app.screen.query_one("#concept--repeats", Input).value = "0"
        await pilot.pause()
        assert "a whole number from 1 to 10,000" in screen_text(app)
        assert app.draft.concepts[0]["repeats"] == 20
        app.screen.query_one("#concept--repeats", Input).value = ""
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: app.draft.step == "class_pictures", "the next step is open")


async def test_a_folder_of_folders_says_everything(open_app, tmp_path):
    draw(tmp_path / "laid" / "20_ukj dog", 2)
    draw(tmp_path / "laid" / "3_sls frog", 2)
    draft = draft_of(tmp_path / "other", identifier="shs", repeats=7)
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await look(app, pilot, tmp_path / "laid")
        text = screen_text(app)
        assert 'The folders\' names decide: "ukj dog", "sls frog" is learned, not' in text
        assert '"shs frog" of step 3' in " ".join(text.split())
        assert not app.screen.query_one("#concept--repeats").display
        config = resolved(app.draft)
        assert (config.dataset.train_dir, config.concept) == (str(tmp_path / "laid"), [])
        await look(app, pilot, tmp_path / "laid" / "3_sls frog")
        assert '"3_sls frog", is not read' in screen_text(app)
        assert resolved(app.draft).dataset.train_dir is None
        assert app.draft.concepts[0] == {
            "identifier": "shs",
            "class": "frog",
            "repeats": 7,
            "instance_dir": str(tmp_path / "laid" / "3_sls frog"),
        }


async def test_unreadable_pictures_are_left_out_by_one_key(open_app, tmp_path):
    draw(tmp_path / "frogs", 2)
    break_off(tmp_path / "frogs" / "cut.png")
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("enter")
        assert "s leaves 1 unreadable picture out" in screen_text(app)
        assert app.draft.step == "pictures"
        await pilot.press("s")
        await shown(app, pilot)
        assert "left out: cut.png is cut off" in screen_text(app)
        assert resolved(app.draft).dataset.on_bad_image == "skip"
        await pilot.press("p")
        await pilot.pause()
        assert "What was found" in screen_text(app)
        await pilot.press("escape", "enter")
        await until(pilot, lambda: app.draft.step == "class_pictures", "the next step is open")


async def test_damage_inside_is_found_on_request(open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    first, second = draw(tmp_path / "frogs", 2)
    shutil.copy(first, second)
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await shown(app, pilot)
        assert "exact copies" not in screen_text(app)
        await pilot.press("d")
        await until(pilot, lambda: examined(app) and app.screen.examined.found.is_deep, "all are decoded")
        await pilot.press("p")
        await pilot.pause()
        assert "exact copies of others" in screen_text(app)


async def test_the_folder_of_each_subject_is_asked_for(open_app, tmp_path):
    draw(tmp_path / "frogs", 1)
    draw(tmp_path / "dogs", 2)
    draft = draft_of(tmp_path / "frogs")
    draft.concepts.append({"identifier": "ukj", "class": "dog"})
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await shown(app, pilot)
        assert "subject 1 of 2" in screen_text(app)
        await pilot.press("enter")
        assert 'choose the folder with the pictures of "ukj dog"' in screen_text(app)
        await pilot.press("pagedown")
        await until(
            pilot, lambda: "subject 2 of 2" in screen_text(app) and examined(app), "the other is asked for"
        )
        assert 'Where are the pictures of "ukj dog"?' in screen_text(app)
        await look(app, pilot, tmp_path / "dogs")
        assert 'pictures without a caption are trained as "ukj dog"' in screen_text(app)
        assert "2/3  frog-0.png" in screen_text(app)
        concepts = resolved(app.draft).concept
        assert [each.instance_dir for each in concepts] == [str(tmp_path / "frogs"), str(tmp_path / "dogs")]
        assert len(app.screen.query_one(Gallery).entries) == 3
        app.screen.query_one("#concept--repeats", Input).value = "5"
        await pilot.pause()
        assert [row.count for row in app.screen.examined.found.rows] == [1, 10]


async def test_laying_out_keeps_the_persons_files(open_app, tmp_path):
    pictures = draw(tmp_path / "frogs", 2)
    pictures[0].with_suffix(".txt").write_text("a frog")
    draft = draft_of(tmp_path / "frogs", repeats=4)
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("right", "c", *"!", "enter", "l")
        await until(pilot, lambda: "Lay the pictures out" in screen_text(app), "it is asked")
        await pilot.press("c", "enter")
        target = tmp_path / "frogs-train" / "4_sls frog"
        await until(pilot, lambda: len(app.screen_stack) == 2, "it is made")
        await shown(app, pilot)
        assert sorted(path.name for path in target.iterdir()) == ["frog-0.png", "frog-0.txt", "frog-1.png"]
        assert not (target / "frog-0.png").samefile(pictures[0])
        config = resolved(app.draft)
        assert (config.dataset.train_dir, config.concept) == (str(tmp_path / "frogs-train"), [])
        await pilot.press("right")
        await pilot.pause()
        assert "sls frog!   (edited, not in its file yet)" in screen_text(app)
        assert sorted(path.name for path in (tmp_path / "frogs").iterdir()) == [
            "frog-0.png",
            "frog-0.txt",
            "frog-1.png",
        ]


async def test_what_cannot_be_laid_out_is_told(open_app, tmp_path):
    draw(tmp_path / "frogs", 2)
    draft = draft_of(tmp_path / "frogs", instance_prompt="a photo of sls frog")
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("l")
        await until(pilot, lambda: "Lay the pictures out" in screen_text(app), "it is asked")
        await pilot.press("enter")
        await until(pilot, lambda: "would be read as" in screen_text(app), "it is refused")
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 2
        assert not (tmp_path / "frogs-train").exists()


async def test_whatever_breaks_in_laying_out_is_told_and_can_be_left(open_app, tmp_path, monkeypatch):
    draw(tmp_path / "frogs", 2)
    monkeypatch.setattr("dbtui.wizard.screens.lay_out.lay_out", lambda *_: 1 / 0)
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("l")
        await until(pilot, lambda: "Lay the pictures out" in screen_text(app), "it is asked")
        await pilot.press("enter")
        await until(pilot, lambda: "division by zero" in screen_text(app), "it is told")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog is left")


async def test_a_caption_on_a_disk_that_hangs_keeps_nobody(open_app, tmp_path, monkeypatch):
    draw(tmp_path / "frogs", 2)
    answer = threading.Event()
    monkeypatch.setattr("dbtui.wizard.steps.pictures._PATIENCE", 0.1)
    monkeypatch.setattr("dbtui.wizard.pictures.caption_edits.open_caption", lambda *_: answer.wait(60))
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: "the disk does not answer" in screen_text(app), "it is told")
        await pilot.press("escape")
        await until(pilot, lambda: app.draft.step != "pictures", "the keys work")
        answer.set()


async def test_captions_are_kept_and_written_on_request(open_app, looks_like, tmp_path):
    draw(tmp_path / "frogs", 3)
    (tmp_path / "frogs" / "frog-1.txt").write_text("a frog")
    async with open_app(step="pictures", draft=draft_of("../frogs")) as (app, pilot):
        await shown(app, pilot)
        await pilot.press("c", *", red", "enter", "right", "c", *"gy", "escape")
        await pilot.pause()
        assert "1 caption edited, not in the files yet" in screen_text(app)
        assert "a frog   (from its .txt file)" in screen_text(app)
        await pilot.press("c", *"gy", "enter")
        await shown(app, pilot)
        assert "2 captions edited" in screen_text(app)
        await looks_like(pilot, "pictures_captions_edited")
        await pilot.press("enter")
        assert "2 edited captions not in the files yet: w writes them; enter again" in screen_text(app)
        (tmp_path / "frogs" / "frog-1.txt").write_text("somebody else's")
        await pilot.press("w")
        await until(pilot, lambda: "o writes over them" in screen_text(app), "the change is told")
        await looks_like(pilot, "pictures_captions_changed")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 2, "it is written")
        await shown(app, pilot)
        assert (tmp_path / "frogs" / "frog-0.txt").read_text() == "sls frog, red\n"
        assert (tmp_path / "frogs" / "frog-1.txt").read_text() == "somebody else's"
        assert "frog-1.txt has changed on disk and was left alone" in screen_text(app)
        assert "1 caption edited" in screen_text(app)
        await pilot.press("w")
        await until(pilot, lambda: "o writes over them" in screen_text(app), "the change is told")
        await pilot.press("o")
        await until(pilot, lambda: len(app.screen_stack) == 2, "it is written")
        await shown(app, pilot)
        assert (tmp_path / "frogs" / "frog-1.txt").read_text() == "a froggy\n"
        assert "edited" not in screen_text(app)


async def test_enter_goes_on_with_unsaved_captions_the_second_time(open_app, tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    draft = draft_of(tmp_path / "frogs")
    draft.aside["captions"] = {str(path): {"file": str(path.with_suffix(".txt")), "text": "mine", "seen": ""}}
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await shown(app, pilot)
        assert "mine   (edited, not in its file yet)" in screen_text(app)
        await pilot.press("enter")
        assert app.draft.step == "pictures"
        await pilot.press("enter")
        await until(pilot, lambda: app.draft.step == "class_pictures", "the next step is open")
        assert app.draft.aside["captions"]


async def test_nothing_hostile_reaches_the_screen(open_app, tmp_path):
    (folder := tmp_path / f"20_sls {HOSTILE}").mkdir()
    draw(folder, 1, name=HOSTILE)
    (folder / f"{HOSTILE}-0.txt").write_text(f"[bold]{HOSTILE}[/nothing]")
    break_off(folder / f"cut{HOSTILE}.png")
    inside = tmp_path / "laid"
    shutil.move(folder, inside / folder.name) if inside.exists() else (inside.mkdir(), shutil.move(folder, inside))
    draft = draft_of()
    draft.set("dataset.train_dir", str(inside))
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await shown(app, pilot)
        for key in ("p", "escape", "c", "x", "enter", "w"):
            await pilot.press(key)
            await pilot.pause()
            text = screen_text(app)
            assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "[@click=app.quit]" in text
        await pilot.press("escape", "escape")


async def test_leaving_stops_the_scan_and_a_late_answer_changes_nothing(open_app, tmp_path, monkeypatch):
    draw(tmp_path / "frogs", 3)
    draw(tmp_path / "dogs", 2)
    began, go_on, ended = threading.Event(), threading.Event(), []

    def slow(draft, progress, *, deep=False):
        if "frogs" in draft.concepts[0]["instance_dir"]:
            began.set()
            assert go_on.wait(60)
            ended.append(progress.stop.is_set())
        return scan_draft(draft, progress, deep=deep)

    monkeypatch.setattr("dbtui.wizard.steps.pictures_look.scan_draft", slow)
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await until(pilot, began.is_set, "the scan is under way")
        await pilot.press("enter")
        await look(app, pilot, tmp_path / "dogs")
        go_on.set()
        await until(pilot, lambda: ended, "the first scan has ended")
        await pilot.pause()
        assert all(ended)
        assert len(app.screen.query_one(Gallery).entries) == 2


def test_a_stopped_scan_ends(tmp_path):
    draw(tmp_path / "frogs", 3)
    progress = Progress()
    progress.stop.set()
    with pytest.raises(StoppedError):
        scan_draft(draft_of(tmp_path / "frogs"), progress)


async def test_thousands_of_pictures_are_never_in_widgets_at_once(open_app, tmp_path):
    (first,) = draw(tmp_path / "frogs", 1, size=(64, 64))
    for number in range(1_500):
        (tmp_path / "frogs" / f"frog-{number:04}.png").hardlink_to(first)
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs")) as (app, pilot):
        await shown(app, pilot)
        assert "1,501" in screen_text(app)
        assert len(app.screen.query("*")) < 150
        await pilot.press("end")
        await shown(app, pilot)
        assert "1,501/1,501" in screen_text(app)
    shutil.rmtree(tmp_path / "frogs")


async def test_pictures_that_are_off_are_named(open_app, tmp_path):
    draw(tmp_path / "frogs", 2)
    async with open_app(step="pictures", draft=draft_of(tmp_path / "frogs"), images="off") as (app, pilot):
        await shown(app, pilot)
        text = screen_text(app)
        assert "▀" not in text
        assert "frog-0.png" in text
        assert "512 x 512" in text


async def test_an_answer_of_another_step_that_cannot_be_used_is_told(open_app, tmp_path):
    draw(tmp_path / "frogs", 2)
    draft = draft_of(tmp_path / "frogs")
    draft.set("train.batch_size", 0)
    async with open_app(step="pictures", draft=draft) as (app, pilot):
        await until(pilot, lambda: examined(app), "there is an answer")
        await pilot.press("enter")
        assert "train.batch_size" in screen_text(app)


async def test_a_problem_leads_to_its_field(open_app):
    async with open_app(step="pictures", draft=draft_of()) as (app, _):
        app.screen.show_key("concept.repeats")
        assert app.focused.id == "concept--repeats"
        app.screen.show_key("dataset.train_dir")
        assert app.focused.id == "folder"
        assert isinstance(app.draft, Draft)
        assert Path.cwd().name == "here"
