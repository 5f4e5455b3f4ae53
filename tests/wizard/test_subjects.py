"""What is said about the subjects, without the screen."""

import pytest
from PIL import Image

from dbtui.wizard.answers import captions_method, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.subjects import several
from dbtui.wizard.subjects.folders import has_layout_aside, name_by_folders, name_by_hand, read_layout
from dbtui.wizard.subjects.look import look
from dbtui.wizard.subjects.problems import subject_problems
from dbtui.wizard.subjects.prompts import learned
from dbtui.wizard.subjects.verdicts import of_class, of_identifier, suggestions
from trainer_core.data.scan import scan_dataset
from trainer_core.text import is_plain


def of_goal(goal="thing", captions=None, *concepts):
    draft = Draft(goal=goal)
    draft.set("method.captions", captions)
    draft.concepts.extend(dict(each) for each in concepts)
    return draft


def save_picture(path, caption=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), "green").save(path)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption)


NAMES = [
    {"identifier": "sls", "class": "frog"},
    {"identifier": "sls"},
    {"class": "frog"},
    {"identifier": "by sls", "class": "1girl"},
    {"identifier": "sls", "class": "1girl", "instance_prompt": "masterpiece, sls 1girl, aqua eyes"},
    {"identifier": "sls", "class": "frog", "instance_prompt": "photo of sls frog, [filewords]"},
    {"instance_prompt": "1girl, by sls"},
]


@pytest.mark.parametrize("captions", ["dreambooth", "hybrid"])
@pytest.mark.parametrize("goal", ["thing", "character", "style"])
@pytest.mark.parametrize("concept", NAMES)
def test_what_is_shown_is_what_the_trainer_trains(tmp_path, goal, captions, concept):
    if subject_problems([concept], captions):
        return  # cannot be gone on with
    taught = learned([concept], goal=goal, captions=captions)[0]
    save_picture(tmp_path / "any name/0.png")
    save_picture(tmp_path / "any name/1.png", taught.caption or None)
    draft = of_goal(goal, captions, {**concept, "instance_dir": str(tmp_path / "any name")})
    config = resolved(draft)
    scan = scan_dataset(config.dataset, config.concept, method=config.method.captions)
    assert scan.faults == ()
    without, with_caption = (picture.caption for picture in scan.train[0].pictures)
    if "[filewords]" not in taught.prompt:
        assert without == taught.prompt
    assert with_caption == (taught.becomes or taught.prompt)


@pytest.mark.parametrize(
    ("goal", "concept", "prompt", "write"),
    [
        ("thing", NAMES[0], "sls frog", "a photo of sls frog in the snow"),
        ("thing", NAMES[1], "sls", "a photo of sls in the snow"),
        ("thing", NAMES[2], "frog", "a photo of frog in the snow"),
        ("character", NAMES[4], "masterpiece, sls 1girl, aqua eyes", "sls 1girl in the snow"),
        ("thing", {"instance_prompt": "a green toy"}, "a green toy", "a green toy in the snow"),
        ("style", NAMES[0], "frog, by sls", "frog in the snow, by sls"),
        ("style", NAMES[1], "by sls", "a castle in the snow, by sls"),
        ("style", NAMES[3], "1girl, by sls", "1girl in the snow, by sls"),
        ("thing", NAMES[5], "photo of sls frog, [filewords]", "a photo of sls frog in the snow"),
        ("thing", {}, "", ""),
    ],
)
def test_the_sentences(goal, concept, prompt, write):
    taught = learned([concept], goal=goal, captions="dreambooth")[0]
    assert (taught.prompt, taught.write) == (prompt, write)


def test_a_caption_in_hybrid_gets_the_identifier():
    taught = learned([NAMES[0]], goal="thing", captions="hybrid")[0]
    assert (taught.caption, taught.becomes) == ("frog, sitting in the garden", "sls, sitting in the garden")
    assert taught.write == "a photo of sls in the snow"
    taught = learned([NAMES[1]], goal="style", captions="hybrid")[0]
    assert (taught.caption, taught.becomes) == ("a house by the sea", "by sls, a house by the sea")


@pytest.mark.parametrize(
    ("identifier", "verdict", "reason"),
    [
        ("shs", "good", "one rare token"),
        ("sks", "poor", "rifle"),
        ("dog", "poor", "common word"),
        ("karimo", "usable", "2 tokens"),
        ("", "", "rare word"),
    ],
)
def test_verdicts_on_the_identifier(identifier, verdict, reason):
    said = of_identifier([{"identifier": identifier, "class": "frog"}], 0)
    assert (said.verdict, reason in said.words) == (verdict, True), said


def test_words_that_stand_in_each_others_way():
    twice = [{"identifier": "sls", "class": "frog"}, {"identifier": "SLS", "class": "cat"}]
    assert "subject 2 has the same word" in of_identifier(twice, 0).words
    assert "subject 1 has the same word" in of_identifier(twice, 1).words
    assert "the class as well" in of_identifier([{"identifier": "shs", "class": "SHS"}], 0).words
    other = [{"identifier": "shs"}, {"identifier": "cpc", "class": "shs"}]
    assert "class of another" in of_identifier(other, 0).words
    assert of_identifier([{"identifier": "by shs"}], 0).verdict == "good"


@pytest.mark.parametrize("captions", ["dreambooth", "hybrid"])
@pytest.mark.parametrize("name", ["identifier", "class", "instance_prompt"])
@pytest.mark.parametrize("value", ["sls\udcff", "\ud800", "\x00", 5, ["sls"], {"a": 1}, True, " ", "x" * 100_000])
def test_a_draft_that_was_meddled_with_is_shown_all_the_same(value, name, captions):
    draft = of_goal("thing", captions, {"identifier": "sls", "class": "frog", name: value})
    seen = look(draft, captions)
    assert all(is_plain(text) for text in (seen.placeholder, seen.identifier.line, seen.class_name.line))
    several.answer(draft, name, "shs")
    assert draft.concepts[0][name] == "shs"


def test_suggestions_are_not_taken_already():
    assert suggestions([{}], 0, 3) == ["shs", "sts", "scs"]
    assert suggestions([{"identifier": "shs"}, {"class": "sts"}, {}], 2, 1) == ["scs"]
    assert suggestions([{"identifier": "shs"}], 0, 1) == ["shs"]


def test_a_class_that_clip_does_not_know_as_one_word():
    assert of_class([{"class": "frog"}], 0, "thing").words == "a common word, the model knows it"
    said = of_class([{"class": "axolotl"}], 0, "thing")
    assert said.verdict == "usable"
    assert said.words.startswith("axolotl is unknown to CLIP as one word: it reads ax + o + lot + l")


@pytest.mark.parametrize(
    ("concept", "captions", "name", "text"),
    [
        ({}, "dreambooth", "identifier", "ctrl+r"),
        ({"class": "frog"}, "hybrid", "identifier", "put into every caption"),
        ({"identifier": "sls", "instance_prompt": "a frog"}, "hybrid", "instance_prompt", "[filewords]"),
        ({"identifier": "a\x1b[31m"}, "dreambooth", "identifier", r"a\x1b[31m"),
        ({"class": "a\u202eb"}, "dreambooth", "class", r"a\u202eb"),
    ],
)
def test_what_keeps_from_going_on(concept, captions, name, text):
    ((place, wrong, words),) = subject_problems([concept], captions)
    assert (place, wrong) == (0, name)
    assert text in words
    ((place, _, words),) = subject_problems([NAMES[0], concept], captions)
    assert place == 1
    assert words.startswith("Subject 2: ")
    assert subject_problems([concept], "finetune") == []


def test_subjects_are_added_taken_out_and_brought_back():
    draft = Draft()
    assert several.concepts_of(draft) == [{}]
    assert not draft.is_begun
    several.answer(draft, "identifier", " shs ")
    assert several.add(draft)
    assert several.place_of(draft) == 1
    assert not several.add(draft)  # the empty one is there
    several.answer(draft, "identifier", "sts")
    several.answer(draft, "class", "old  man")
    assert draft.concepts == [{"identifier": "shs"}, {"identifier": "sts", "class": "old man"}]
    several.go_to(draft, 0)
    several.go_to(draft, 2)
    assert several.place_of(draft) == 0
    several.remove(draft)
    several.remove(draft)
    assert (draft.concepts, several.place_of(draft)) == ([], 0)
    assert several.bring_back(draft)
    assert several.bring_back(draft)
    assert not several.bring_back(draft)
    assert draft.concepts == [{"identifier": "shs"}, {"identifier": "sts", "class": "old man"}]


def test_what_was_taken_out_survives_on_disk_and_a_damaged_list_hurts_nobody(tmp_path):
    draft = of_goal("thing", None, *NAMES[:2])
    several.remove(draft)
    draft.aside["subject.removed"].append("what is this")
    draft.aside["subject.place"] = "x"
    assert several.place_of(draft) == 0
    assert several.last_removed(draft) == NAMES[0]


def test_answers_follow_the_goal_on_their_way_into_the_file(tmp_path):
    draft = of_goal("style", None, {"identifier": "sls", "instance_dir": "/pictures"})
    assert resolved(draft).concept[0].identifier == "by sls"
    draft.goal = "thing"
    assert resolved(draft).concept[0].identifier == "sls"
    draft.concepts[0]["instance_prompt"] = "a photo of sls"
    draft.set("method.captions", "finetune")
    assert resolved(draft).concept[0].instance_prompt is None
    assert captions_method(draft) == "finetune"
    draft.concepts[0] = {"identifier": "sls"}
    draft.set("dataset.train_dir", str(tmp_path))
    assert resolved(draft).concept == []


def test_names_of_folders_and_names_by_hand_train_the_same(tmp_path):
    save_picture(tmp_path / "train/3_sls frog/a.png")
    save_picture(tmp_path / "train/2_1girl, by cpc/a.png")
    draft = of_goal("thing", None, {"identifier": "typed"})
    draft.set("dataset.train_dir", str(tmp_path / "train"))
    before = scanned(draft)
    layout = read_layout(draft.get("dataset.train_dir"), "thing")
    assert [each.learned.write for each in layout.subjects] == [
        "1girl in the snow, by cpc",
        "a photo of sls frog in the snow",
    ]
    name_by_hand(draft, layout.subjects)
    assert scanned(draft) == before
    assert has_layout_aside(draft)
    elsewhere = draft.copy()
    elsewhere.aside["subject.train_dir"]["train_dir"] = "~nobody-of-that-name/frogs"
    assert not has_layout_aside(elsewhere)
    draft.concepts[0]["identifier"] = "muk"
    name_by_folders(draft)
    assert scanned(draft) == before
    assert draft.concepts == [{"identifier": "typed"}]
    name_by_hand(draft, layout.subjects)
    assert draft.concepts[0]["identifier"] == "muk"  # as it was named the last time


def scanned(draft):
    config = resolved(draft)
    scan = scan_dataset(config.dataset, config.concept)
    assert scan.faults == ()
    return [(folder.repeats, folder.identifier, folder.pictures[0].caption) for folder in scan.train]


def test_folders_that_cannot_be_read_say_so(tmp_path):
    assert "does not exist" in read_layout(str(tmp_path / "no\x1b[31m"), "thing").problems[0]
    assert "\x1b" not in read_layout(str(tmp_path / "no\x1b[31m"), "thing").problems[0]


def test_the_note_says_what_a_class_alone_means():
    draft = of_goal("thing", None, NAMES[2])
    assert "every frog" in look(draft, "dreambooth").note
