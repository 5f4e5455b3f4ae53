"""The step of class pictures: three choices whose answers wait for each other, and the balance of real folders."""

from pathlib import Path

import numpy
import pytest
from PIL import Image

from dbtui.wizard.answers import config_of, resolved
from dbtui.wizard.class_pictures.choice import choose, chosen, classes, usual
from dbtui.wizard.class_pictures.weigh import NO_CLASS, Weighed, balancing, renames, set_repeats, weigh
from dbtui.wizard.class_pictures.words import balance_hint, balance_lines, offered
from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures.found import Progress, StoppedError
from dbtui.wizard.steps.order import step_of_key
from dbtui.wizard.widgets.choices import Choices
from tests.wizard.conftest import NARROW, WIDE, screen_text, until


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of tiny pictures: 4 of a frog, 6 and 3 of frogs, 2 of a dog, and a layout of 4 and 6."""
    root = tmp_path_factory.mktemp("photos")
    folders = {
        "frog": 4,
        "frogs": 6,
        "few": 3,
        "dog": 2,
        "laid/20_sls frog": 4,
        "laid/5_sls dog": 2,
        "reg/1_frog": 6,
    }
    picture = Image.fromarray(numpy.random.RandomState(0).randint(0, 256, (8, 8, 3), dtype=numpy.uint8)).resize(
        (64, 64)
    )
    for name, count in folders.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            picture.save(root / name / f"{number}.png")
    (root / "broken").mkdir()
    (root / "broken" / "a.png").write_text("<html>")
    return root


@pytest.fixture
def here(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand where relative paths are short."""
    monkeypatch.chdir(photos)
    return photos


def frog(**more) -> Draft:
    """A draft about one frog, 4 pictures x 20."""
    draft = Draft(preset="sd15-12gb")
    draft.concepts.append({"identifier": "sls", "class": "frog", "instance_dir": "frog", "repeats": 20, **more})
    return draft


def weighed(draft: Draft) -> Weighed:
    return weigh(draft, Path("runs"), Progress())


# Choices and their answers.


def test_what_is_usual_depends_on_the_goal_and_an_earlier_run_keeps_what_it_had():
    assert [usual(Draft(goal=goal)) for goal in ("thing", "character", "style")] == ["generate", "none", "none"]
    assert usual(Draft(origin="frog-1")) == "none"


def test_answers_of_choices_not_taken_wait_and_come_back():
    draft = frog(class_prompt="a frog")
    assert chosen(draft) is None
    choose(draft, "generate")
    assert draft.get("prior.num_class_images") == 200
    assert draft.concepts[0]["class_prompt"] == "a frog"  # known before, and used now
    draft.set("prior.num_class_images", 50)
    choose(draft, "folder")
    assert (chosen(draft), draft.get("prior.num_class_images")) == ("folder", None)
    draft.concepts[0]["class_dir"] = "frogs"
    choose(draft, "none")
    assert draft.concepts[0].keys() == {"identifier", "class", "instance_dir", "repeats"}
    choose(draft, "folder")
    assert draft.concepts[0]["class_dir"] == "frogs"
    choose(draft, "generate")
    assert (draft.get("prior.num_class_images"), draft.concepts[0]["class_prompt"]) == (50, "a frog")


@pytest.mark.parametrize("choice", ["generate", "none"])
def test_what_is_left_is_a_configuration_that_runs(here, choice):
    draft = frog(class_prompt="a frog")
    draft.set("model.base", "owner/model")
    choose(draft, choice)
    assert config_of(draft).prior.num_class_images == (200 if choice == "generate" else None)


def test_waiting_answers_find_their_concept_though_another_went_away():
    draft = frog(class_dir="frogs")
    draft.concepts.append({"identifier": "shs", "class": "dog", "class_dir": "dogs"})
    choose(draft, "none")
    del draft.concepts[0]
    choose(draft, "folder")
    assert draft.concepts == [{"identifier": "shs", "class": "dog", "class_dir": "dogs"}]


def test_a_draft_whose_file_was_meddled_with_is_no_trouble():
    draft = frog()
    draft.concepts[0]["class_dir"] = ["x"]
    assert len(classes(draft)) == 1
    del draft.concepts[0]["class_dir"]
    draft.aside |= {"class_pictures.waiting": 7, "class_pictures.from": ["x"]}
    assert chosen(draft) is None
    choose(draft, "folder")
    draft.aside["class_pictures.waiting"] |= {"generate": {"general": 3, "concepts": {"sls frog": 5}}}
    choose(draft, "generate")
    assert chosen(draft) == "generate"


def test_concepts_of_a_class_share_its_pictures():
    draft = frog()
    draft.concepts.append({"identifier": "shs", "class": "Frog "})
    draft.concepts.append({"identifier": "sts", "class": "dog"})
    draft.concepts.append({"identifier": "scs", "class": "frog", "class_dir": "other"})
    assert [(each.name, each.concepts) for each in classes(draft)] == [
        ("frog", (0, 1)),
        ("dog", (2,)),
        ("frog", (3,)),
    ]
    draft.set("dataset.train_dir", "laid")
    assert classes(draft) == []


def test_each_choice_says_what_follows():
    lines = {each.value: (each.note, *each.lines) for each in offered(classes(frog()), 100, 30, (512, 512))}
    assert lines["generate"][0] == "3,000 drawing steps first, up to 78.6 MB"
    assert lines["folder"] == ("no time, no disk", '"frog" keeps its meaning; half of what is trained are these.')
    assert "every frog may end up looking like yours" in lines["none"][1]
    draft = frog()
    draft.concepts.append({"identifier": "shs", "class": "dog\x1b"})
    both = {each.value: (each.note, *each.lines) for each in offered(classes(draft), 100, 30, (512, 512))}
    assert both["generate"][0].startswith("100 each, 6,000 drawing steps")


# The balance.


def test_the_balance_is_the_trainers(here):
    draft = frog(class_dir="frogs")
    (balance,) = weighed(draft).balances
    assert (balance.train_count, balance.class_count, balance.balancing_repeats) == (80, 6, 2)
    found = weighed(draft)
    assert set_repeats(draft, balancing(found)) == 1
    assert draft.concepts[0]["repeats"] == 2
    assert balance_hint(weighed(draft), []).startswith("Balanced")
    assert balance_hint(found, []) == "b (in a field: f8) sets repeats to 2, which is just enough (8)."


def test_too_few_repeats_leave_class_pictures_unused(here):
    found = weighed(frog(class_dir="frogs", repeats=1))
    lines = balance_lines(found, 76).plain.splitlines()
    assert lines[0].split() == ["training", "█" * lines[0].count("█"), "4", "4", "pictures", "x", "1"]
    assert lines[1].endswith("6  2 never used")
    assert lines[1].count("█") > lines[0].count("█")


def test_pictures_to_be_drawn_count(here):
    draft = frog()
    draft.set("prior.num_class_images", 8)
    found = weighed(draft)
    assert found.to_draw == {"frog": 8}
    assert balance_lines(found, 76).plain.splitlines()[1].endswith("8  8 to be drawn, all used")
    assert found.problems == ()


def test_several_classes_are_balanced_together(here):
    draft = frog(class_dir="frogs")
    draft.concepts.append(
        {"identifier": "shs", "class": "dog", "instance_dir": "dog", "repeats": 1, "class_dir": "few"}
    )
    found = weighed(draft)
    assert [line.split()[0] for line in balance_lines(found, 76).plain.splitlines()] == [
        "frog",
        "class",
        "dog",
        "class",
    ]
    assert set_repeats(draft, balancing(found)) == 2
    assert [concept["repeats"] for concept in draft.concepts] == [2, 2]


def test_folders_whose_names_decide_are_not_renamed(here):
    draft = Draft(preset="sd15-12gb")
    draft.set("dataset.train_dir", "laid")
    draft.set("dataset.reg_dir", "reg")
    found = weighed(draft)
    assert renames(found, draft) == [("20_sls frog", "2_sls frog")]
    assert set_repeats(draft, balancing(found)) == 0
    hint = balance_hint(found, renames(found, draft))
    assert hint.startswith('Folder names decide here: rename "20_sls frog" to "2_sls frog"')
    assert (here / "laid/20_sls frog").is_dir()


def test_problems_are_those_of_the_class_pictures_alone(here):
    draft = frog(class_dir="gone", instance_dir="broken")
    (problem,) = weighed(draft).problems
    assert problem.startswith(f"{here}/gone does not exist")
    draft.concepts[0]["class_dir"] = "broken/../broken"
    assert any("training pictures and for class pictures" in each for each in weighed(draft).problems)
    draft = frog(class_dir="frogs")
    del draft.concepts[0]["class"]
    assert ["has no name" in each for each in weighed(draft).problems] == [True]
    del draft.concepts[0]["class_dir"]
    draft.set("prior.num_class_images", 3)
    assert weighed(draft).problems == (NO_CLASS,)
    draft.set("prior.num_class_images", None)
    assert usual(draft) == "none", "nothing can be drawn of a class that has no name"


def test_a_scan_that_nobody_wants_ends(here):
    progress = Progress()
    progress.stop.set()
    with pytest.raises(StoppedError):
        weigh(frog(class_dir="frogs"), Path("runs"), progress)


def test_the_settings_are_asked_here():
    for key in ("prior.infer_steps", "concept.class_dir", "concept.class_prompt", "dataset.reg_dir"):
        assert step_of_key(key).name == "class_pictures"


# The screen.


async def read(app, pilot, words: str) -> None:
    """Wait until the folders have been read under the answers so far, and the screen says `words`."""
    await until(pilot, lambda: (app.screen.weighed or app.screen.trouble) and words in screen_text(app), words)
    await pilot.pause()


async def test_drawing_is_filled_in_for_a_thing(open_app, here, looks_like):
    async with open_app(size=NARROW, step="class_pictures", draft=frog()) as (app, pilot):
        await read(app, pilot, "to be drawn")
        await looks_like(pilot, "class_pictures_generate_narrow")
        await pilot.press("b")
        await until(pilot, lambda: app.draft.concepts[0]["repeats"] == 50, "the repeats are set")
        await read(app, pilot, "Balanced")
        await pilot.press("enter")
        assert app.draft.step == "hardware"


async def test_a_folder_is_typed_and_what_was_typed_stays(open_app, here, looks_like):
    async with open_app(size=NARROW, step="class_pictures", draft=frog()) as (app, pilot):
        await pilot.press("up", "enter")
        await read(app, pilot, "name the folder of class pictures")
        await looks_like(pilot, "class_pictures_folder_missing")
        await pilot.press("tab", *"frogs")
        await read(app, pilot, "all used")
        assert app.draft.concepts[0]["class_dir"] == str(here / "frogs")
        await pilot.press("escape", "f8")
        await until(pilot, lambda: app.draft.concepts[0].get("repeats") == 2, "the repeats are set")
        await read(app, pilot, "Balanced")
        await looks_like(pilot, "class_pictures_folder_narrow")
        await pilot.press("shift+tab", "end")
        assert chosen(app.draft) == "none"
        assert resolved(app.draft).concept[0].class_dir is None
        await pilot.press("home")
        assert app.screen.query_one("#concept--class_dir").value == str(here / "frogs")


async def test_what_is_no_number_is_said(open_app, here, looks_like):
    async with open_app(size=NARROW, step="class_pictures", draft=frog()) as (app, pilot):
        await pilot.press("tab", "x")
        await until(pilot, lambda: 'not "x"' in screen_text(app), "it is said")
        await pilot.press("enter")
        assert app.draft.step == "class_pictures"
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: "how many shall be drawn?" in screen_text(app), "it is asked")
        await pilot.press(*"30")
        await until(pilot, lambda: "900 drawing steps" in screen_text(app), "the costs follow")
        await pilot.press("tab", *"0.5")
        await read(app, pilot, "30 to be drawn")
        await looks_like(pilot, "class_pictures_in_error")


async def test_several_concepts_wide(open_app, here, looks_like):
    draft = frog()
    draft.concepts.append({"identifier": "shs", "class": "dog", "instance_dir": "dog", "repeats": 5})
    draft.concepts.append({"identifier": "sts", "class": "frog", "instance_dir": "few"})
    async with open_app(size=WIDE, step="class_pictures", draft=draft) as (app, pilot):
        await read(app, pilot, "to be drawn")
        await looks_like(pilot, "class_pictures_several_wide")
        app.screen.show_key("concept.class_prompt")
        await pilot.press(*"a frog")
        assert [concept.get("class_prompt") for concept in app.draft.concepts] == ["a frog", None, "a frog"]
        app.screen.show_key("concept.class_dir")  # belongs to another choice
        await pilot.press("up", "tab", *"frogs")
        assert app.draft.concepts[2].get("class_dir") is None
        assert app.draft.concepts[0]["class_dir"] == str(here / "frogs")


async def test_a_layout_is_told_which_rename_would_do(open_app, here, looks_like):
    draft = Draft(preset="sd15-12gb")
    draft.set("dataset.train_dir", "laid")
    draft.set("dataset.reg_dir", "reg")
    async with open_app(size=NARROW, step="class_pictures", draft=draft) as (app, pilot):
        await read(app, pilot, "rename")
        await looks_like(pilot, "class_pictures_layout")


async def test_a_captioned_dataset_is_not_asked(open_app, here, looks_like):
    draft = Draft(goal="dataset")
    draft.set("method.captions", "finetune")
    async with open_app(size=NARROW, step="class_pictures", draft=draft) as (app, pilot):
        await looks_like(pilot, "class_pictures_not_asked")
        assert not app.screen.query(Choices)
        await pilot.press("b", "enter")
        assert app.draft.step == "hardware"
        assert chosen(app.draft) is None


async def test_class_pictures_that_cannot_be_used_keep_one_here(open_app, here):
    async with open_app(size=NARROW, step="class_pictures", draft=frog(class_dir="broken")) as (app, pilot):
        await read(app, pilot, "! ")
        await pilot.press("enter")
        assert app.draft.step == "class_pictures"
        await pilot.press("end", "enter")
        assert app.draft.step == "hardware"


async def test_answers_that_mean_nothing_are_said(open_app, here):
    draft = frog()
    draft.set("train.batch_size", 0)
    async with open_app(size=NARROW, step="class_pictures", draft=draft) as (app, pilot):
        await read(app, pilot, "train.batch_size")


async def test_whatever_breaks_in_reading_is_told(open_app, here, monkeypatch):
    monkeypatch.setattr("dbtui.wizard.steps.class_pictures.weigh", lambda *_: 1 / 0)
    async with open_app(size=NARROW, step="class_pictures", draft=frog()) as (app, pilot):
        await read(app, pilot, "could not be read: division by zero")
        await pilot.press("enter")
        assert app.draft.step == "hardware"
