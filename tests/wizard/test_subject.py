"""The step "Identifier and class", typed into."""

import threading

import pytest
from PIL import Image
from textual import events
from textual.widgets import Input

from dbtui.wizard.draft import Draft
from dbtui.wizard.steps.order import step_named
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle
from trainer_core.models import tokenizer


def of_goal(goal="thing", captions="dreambooth", *concepts, **aside):
    draft = Draft(goal=goal, aside=aside)
    draft.set("method.captions", captions)
    draft.concepts.extend(dict(each) for each in concepts)
    return draft


SLS = {"identifier": "sls", "class": "frog"}
CPC = {"identifier": "cpc", "class": "axolotl"}
LOOKS = {
    "empty": of_goal(),
    "good": of_goal("thing", "dreambooth", SLS),
    "sks": of_goal("thing", "dreambooth", {"identifier": "sks", "class": "dog"}),
    "tokens": of_goal("character", "hybrid", {"identifier": "karimo", "class": "1girl"}),
    "class_alone": of_goal("thing", "dreambooth", {"class": "axolotl"}),
    "several": of_goal("thing", "dreambooth", SLS, CPC, {"identifier": "sls"}, **{"subject.place": 2}),
    "style": of_goal("style", "hybrid", {"identifier": "shs", "class": "landscape"}),
    "own_prompt": of_goal("thing", "dreambooth", {**SLS, "instance_prompt": "photo of a frog, [filewords]"}),
    "captions": of_goal("dataset", "finetune"),
    "hostile": of_goal("thing", "dreambooth", {"identifier": "a\x1b]0;x\x07", "class": "[red]\u202efrog"}),
}


WIDE_TOO = ("empty", "good", "several", "style", "captions")


@pytest.mark.parametrize(("size", "names"), [(NARROW, tuple(LOOKS)), (WIDE, WIDE_TOO)], ids=["narrow", "wide"])
async def test_how_it_looks(open_app, looks_like, names, size):
    async with open_app(size=size) as (app, pilot):
        for name in names:
            app.draft = LOOKS[name].copy()
            app.go_to(step_named("subject"))
            await settle(pilot)
            await looks_like(pilot, f"subject_{name}_{'narrow' if size == NARROW else 'wide'}")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
async def test_going_on_without_an_answer_says_what_is_needed(open_app, looks_like, size):
    async with open_app(size=size, step="subject") as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "subject"
        await looks_like(pilot, f"subject_problem_{'narrow' if size == NARROW else 'wide'}")
        await pilot.press(*"sls", "enter")
        await settle(pilot)
        assert app.draft.step == "pictures"
        assert app.draft.concepts == [{"identifier": "sls"}]


async def test_verdict_and_sentence_follow_the_keys(open_app):
    async with open_app(step="subject") as (app, pilot):
        await pilot.press(*"sks")
        await settle(pilot)
        assert "! poor: it means something already: a rifle" in screen_text(app)
        await pilot.press("backspace", "backspace", *"hs", "tab", *"frog")
        await settle(pilot)
        shown = screen_text(app)
        assert "✓ good: one rare token" in shown
        assert "a photo of shs frog in the snow" in shown
        await pilot.press("tab", *"a toy frog")
        await settle(pilot)
        assert "shs does not stand in it" in screen_text(app)
        assert app.draft.concepts == [{"identifier": "shs", "class": "frog", "instance_prompt": "a toy frog"}]


async def test_rare_words_come_one_after_the_other_and_what_was_typed_comes_back(open_app):
    async with open_app(step="subject") as (app, pilot):
        await pilot.press(*"alice", "tab")
        seen = []
        for _ in range(9):
            await pilot.press("ctrl+r")
            seen.append(app.draft.concepts[0]["identifier"])
        assert seen == ["shs", "sts", "scs", "cpc", "coc", "cic", "alice", "shs", "sts"]
        assert "shs ▸sts scs cpc coc cic  or yours: alice" in screen_text(app)
        assert app.focused.value == "sts"


async def test_subjects_are_added_walked_through_taken_out_and_brought_back(open_app):
    async with open_app(step="subject") as (app, pilot):
        await pilot.press("ctrl+n")
        assert "Give it a name" in screen_text(app)
        await pilot.press("ctrl+r", "ctrl+n")
        await pilot.press("ctrl+r", "tab", *"cat")
        assert app.draft.concepts == [{"identifier": "shs"}, {"identifier": "sts", "class": "cat"}]
        await pilot.press("pageup")
        assert app.focused.value == "shs"
        await pilot.press("f8")
        assert app.draft.concepts == [{"identifier": "sts", "class": "cat"}]
        assert "Taken out: shs. f9 brings it back" in screen_text(app)
        await pilot.press("f8")
        assert len(app.draft.concepts) == 1, "the last one is emptied by hand, not taken out"
        await pilot.press("escape", "f9")
        await settle(pilot)
        app.go_by(1)
        await settle(pilot)
        await pilot.press("f9")
        assert app.draft.concepts == [{"identifier": "shs"}, {"identifier": "sts", "class": "cat"}]
        await pilot.press("ctrl+n", "pageup", "enter")
        await settle(pilot)
        assert "Subject 3: Give it a name" in screen_text(app)
        assert "▸ 3  (no name yet)" in screen_text(app), "the subject with the problem is gone to"


PASTED = {
    "sls\x1b]0;hacked\x07": r'Not taken: "sls\x1b]0;hacked\x07": it holds characters that cannot be seen',
    "a\u202eb": r'Not taken: "a\u202eb"',
    "one\ntwo": 'Not taken: "one⏎two": it has 2 lines',
    "x" * 5000: "Not taken: at most 100 characters",
}


async def test_what_cannot_be_shown_is_not_taken(open_app):
    async with open_app(size=WIDE, step="subject") as (app, pilot):
        for pasted, said in PASTED.items():
            app.screen.query(Input).first().post_message(events.Paste(pasted))
            await settle(pilot)
            assert said in screen_text(app)
            assert app.draft.tables == {}
        app.screen.query(Input).first().post_message(events.Paste(" sls\r\n"))
        await settle(pilot)
        assert app.draft.concepts == [{"identifier": "sls"}]
        assert "Not taken" not in screen_text(app)


async def test_a_draft_that_cannot_be_shown_is_asked_anew(open_app):
    async with open_app(step="subject", draft=LOOKS["hostile"].copy()) as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        assert r'The identifier "a\x1b]0;x\x07" holds characters' in screen_text(app)
        assert app.draft.concepts == LOOKS["hostile"].concepts, "nothing is lost before something is typed"


async def test_names_of_folders_are_shown_and_can_be_changed_here(open_app, looks_like, tmp_path):
    for folder in ("20_sls frog", "10_1girl, by cpc", "3_sks\x1b[31m dog"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "train" / folder / "0.png")
    draft = of_goal()
    draft.set("dataset.train_dir", str(tmp_path / "train"))
    async with open_app(step="subject", draft=draft) as (app, pilot):
        await looks_like(pilot, "subject_folders_narrow")
        await pilot.press("f4")
        await settle(pilot)
        assert app.draft.get("dataset.train_dir") is None
        assert [each["repeats"] for each in app.draft.concepts] == [10, 20, 3]
        await looks_like(pilot, "subject_folders_by_hand_narrow")
        await pilot.press("f4")
        await settle(pilot)
        assert app.draft.get("dataset.train_dir") == str(tmp_path / "train")
        await pilot.press("enter")
        await settle(pilot)
        assert app.draft.step == "pictures"


async def test_folders_that_cannot_be_read_say_so(open_app, tmp_path):
    draft = of_goal()
    draft.set("dataset.train_dir", str(tmp_path / "gone"))
    async with open_app(step="subject", draft=draft) as (app, pilot):
        assert "does not exist" in " ".join(screen_text(app).split())
        await pilot.press("f4")
        assert app.draft.get("dataset.train_dir"), "there is nothing to name by hand"


async def test_captions_alone_ask_for_nothing(open_app):
    async with open_app(step="subject", draft=LOOKS["captions"].copy()) as (app, pilot):
        assert "Nothing to name" in screen_text(app)
        await pilot.press("ctrl+n", "ctrl+r", "f8", "f9", "f4", "enter")
        await settle(pilot)
        assert app.draft.step == "pictures"
        assert app.draft.concepts == []


async def test_a_setting_is_gone_to(open_app):
    draft = of_goal("thing", "dreambooth", SLS)
    async with open_app(step="subject", draft=draft) as (app, pilot):
        app.screen.show_key("concept.class")
        await pilot.pause()
        assert app.focused.value == "frog"


async def test_the_vocabulary_is_never_read_in_the_thread_of_the_screen(open_app, monkeypatch):
    threads = []
    read = tokenizer.pkgutil.get_data

    def noted(*args):
        threads.append(threading.current_thread())
        return read(*args)

    tokenizer.vocabulary.cache_clear()
    tokenizer.clip_tokenizer.cache_clear()
    monkeypatch.setattr(tokenizer.pkgutil, "get_data", noted)
    async with open_app(step="subject") as (app, pilot):
        await pilot.press(*"sls")
        await settle(pilot)
        assert "✓ good" in screen_text(app)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
