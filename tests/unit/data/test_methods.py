"""Which text each picture gets: by dreambooth, finetune and hybrid; styles; several concepts at once."""

import os

import pytest

from trainer_core.data.balance import match_class_items
from trainer_core.data.folder_names import split_style


@pytest.fixture
def data(tmp_path, save_pictures):
    """Two subjects and a style of frogs; pictures 1.jpg have captions, class pictures too."""
    for name, count in (("train/2_sls frog", 3), ("train/3_cpc frog", 2), ("reg/1_frog", 4)):
        save_pictures(tmp_path / name, count)
    (tmp_path / "train/2_sls frog/1.txt").write_text("a frog on a leaf")
    (tmp_path / "train/3_cpc frog/1.txt").write_text("cpc, asleep")
    (tmp_path / "reg/1_frog/1.txt").write_text("sls in the rain")
    (tmp_path / "reg/1_frog/2.txt").write_text("cpc frog, dry")
    return tmp_path


def texts(folder):
    return [picture.caption for picture in folder.pictures]


def faults(result):
    return [f"{fault.path.name}: {fault.text}" for fault in result.faults]


def test_dreambooth_takes_the_prompt_or_the_caption(data, scan):
    result = scan(data / "train", data / "reg")
    assert [texts(folder) for folder in result.train] == [
        ["sls frog", "a frog on a leaf", "sls frog"],
        ["cpc frog", "cpc, asleep"],
    ]
    assert texts(result.classes[0]) == ["frog", "sls in the rain", "cpc frog, dry", "frog"]


def test_hybrid_puts_the_identifier_in_and_keeps_it_out_of_the_class(data, scan):
    result = scan(data / "train", data / "reg", method="hybrid")
    assert result.faults == ()
    assert [texts(folder) for folder in result.train] == [
        ["sls frog", "sls on a leaf", "sls frog"],
        ["cpc frog", "cpc, asleep"],
    ]
    assert texts(result.classes[0]) == ["frog", "frog in the rain", "frog, dry", "frog"]
    assert sum(item.repeats for item in match_class_items(result) if item.is_class) == 12


def test_hybrid_needs_an_identifier(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "train" / "2_frog", 1)
    save_pictures(tmp_path / "any", 1)
    result = scan(
        tmp_path / "train", concepts=[{"class": "frog", "instance_dir": str(tmp_path / "any")}], method="hybrid"
    )
    first, second = faults(result)
    assert first.startswith("2_frog: has no identifier")
    assert '"2_sls frog"' in first
    assert second.startswith("any: has no identifier")
    assert "--identifier" in second


def test_finetune_trains_captions_alone_and_names_the_pictures_without(data, scan):
    (fault, second) = faults(scan(data / "train", method="finetune"))
    assert fault.startswith("2_sls frog: 2 pictures without a caption (0.jpg, 2.jpg). Write one")
    assert second.startswith("3_cpc frog: 1 picture without a caption (0.jpg)")
    for folder, name in (("2_sls frog", "0"), ("2_sls frog", "2"), ("3_cpc frog", "0")):
        (data / "train" / folder / f"{name}.txt").write_text(f"words of {name}")
    result = scan(data / "train", method="finetune")
    assert result.faults == ()
    assert [texts(folder) for folder in result.train] == [
        ["words of 0", "a frog on a leaf", "words of 2"],
        ["words of 0", "cpc, asleep"],
    ]
    assert [folder.repeats for folder in result.train] == [2, 3]
    assert {folder.identifier for folder in result.train} == {None}


def test_finetune_accepts_a_plain_folder_and_names_as_captions(tmp_path, save_pictures, scan, encode):
    folder = save_pictures(tmp_path / "any name", 0)
    for name in ("01 a frog.jpg", "02.jpg", "a toad.jpg"):
        (folder / name).write_bytes(encode())
    (folder / "02.txt").write_text("a newt")
    result = scan(folder, method="finetune", use_filename_as_caption=True)
    (read,) = result.train
    assert (result.faults, read.repeats) == ((), 1)
    assert [(p.caption, p.caption_from) for p in read.pictures] == [
        ("a frog", "filename"),
        ("a newt", ".txt"),
        ("a toad", "filename"),
    ]
    (folder / "02.txt").write_text(" \n")
    (fault,) = faults(scan(folder, method="finetune"))
    assert "3 pictures without a caption (01 a frog.jpg, 02.jpg, a toad.jpg)" in fault
    (fault,) = faults(scan(folder, method="finetune", use_filename_as_caption=True))
    assert "1 picture without a caption (02.jpg)" in fault


def test_a_plain_folder_is_refused_where_its_words_are_needed(tmp_path, save_pictures, scan):
    (fault,) = faults(scan(save_pictures(tmp_path / "any name", 1)))
    assert "lying loose in it" in fault


@pytest.mark.parametrize(
    ("name", "identifier", "class_name"),
    [
        ("10_by sls", "sls", ""),
        ("10_1girl, by sls", "sls", "1girl"),
        ("10_oil painting by sls", "sls", "oil painting"),
        ("10_by sls, soft", "by", "sls, soft"),
    ],
)
def test_styles_by_their_folder(tmp_path, save_pictures, scan, name, identifier, class_name):
    save_pictures(tmp_path / name, 1)
    result = scan(tmp_path)
    (folder,) = result.train
    assert (folder.identifier, folder.class_name) == (identifier, class_name)
    assert texts(folder) == [name.partition("_")[2]]
    assert any("read as a style" in note for note in result.notes) == (identifier == "sls")


def test_reading_a_style_takes_no_time_on_any_prompt():
    assert split_style("a" + " " * 100_000) is None
    assert split_style("a, by " * 20_000 + "x y") is None
    assert split_style("masterpiece,  1girl,\tby SLS") == ("SLS", "masterpiece, 1girl")


def test_a_style_without_a_class_takes_the_only_class_there_is(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "train/2_by sls", 2)
    save_pictures(tmp_path / "reg/1_1girl", 4)
    result = scan(tmp_path / "train", tmp_path / "reg")
    assert result.faults == ()
    assert result.train[0].class_name == "1girl"
    assert sum(item.repeats for item in match_class_items(result) if item.is_class) == 4
    save_pictures(tmp_path / "reg/1_1boy", 1)
    assert len(scan(tmp_path / "train", tmp_path / "reg").faults) == 2  # which of the two is not said


def test_a_style_in_hybrid_stands_beside_the_class(tmp_path, save_pictures, scan):
    folder = save_pictures(tmp_path / "train/2_1girl, by sls", 2)
    (folder / "0.txt").write_text("1girl, standing")
    save_pictures(tmp_path / "reg/1_1girl", 2)
    result = scan(tmp_path / "train", tmp_path / "reg", method="hybrid")
    assert texts(result.train[0]) == ["by sls, 1girl, standing", "1girl, by sls"]
    concept = {"instance_prompt": "[filewords], by sls", "identifier": "sls", "instance_dir": str(folder)}
    result = scan(concepts=[concept], method="hybrid")
    assert texts(result.train[0]) == ["1girl, standing, by sls", "by sls"]


@pytest.mark.parametrize("method", ["dreambooth", "hybrid"])
def test_an_identifier_may_say_that_it_is_a_style(tmp_path, save_pictures, scan, method):
    folder = save_pictures(tmp_path / "any name", 1)
    concept = {"identifier": "by sls", "instance_dir": str(folder)}
    (style,) = scan(concepts=[concept], method=method).train
    assert (style.identifier, texts(style)) == ("sls", ["by sls"])
    (style,) = scan(concepts=[{**concept, "class": "1girl"}], method=method).train
    assert (style.identifier, style.class_name, texts(style)) == ("sls", "1girl", ["1girl, by sls"])
    (folder / "0.txt").write_text("1girl, standing")
    (style,) = scan(concepts=[{**concept, "class": "1girl"}], method=method).train
    assert texts(style) == [{"dreambooth": "1girl, standing", "hybrid": "by sls, 1girl, standing"}[method]]


def test_a_styles_concept_needs_a_prompt_only(tmp_path, save_pictures, scan):
    pictures, frogs = save_pictures(tmp_path / "a", 2), save_pictures(tmp_path / "b", 2)
    concept = {
        "instance_prompt": "1girl, by sls",
        "class_prompt": "1girl",
        "instance_dir": str(pictures),
        "class_dir": str(frogs),
    }
    result = scan(concepts=[concept])
    assert result.faults == ()
    assert result.train[0].identifier == "sls"
    assert texts(result.train[0]) + texts(result.classes[0]) == ["1girl, by sls"] * 2 + ["1girl"] * 2


def test_several_concepts_with_prompts_repeats_and_classes_of_their_own(tmp_path, save_pictures, scan):
    names = ("dog", "dogs", "girl", "girls")
    folders = {name: str(save_pictures(tmp_path / name, 2)) for name in names}
    (tmp_path / "girl/0.txt").write_text("smiling")
    (tmp_path / "dogs/0.txt").write_text("a poodle")
    concepts = [
        {
            "instance_prompt": "photo of zwx dog, [filewords]",
            "class_prompt": "photo of a dog",
            "instance_dir": folders["dog"],
            "class_dir": folders["dogs"],
            "repeats": 3,
        },
        {
            "identifier": "ukj",
            "class": "person",
            "instance_prompt": "photo of ukj person, [filewords]",
            "class_prompt": "[filewords], person",
            "instance_dir": folders["girl"],
            "class_dir": folders["girls"],
            "repeats": 5,
        },
    ]
    result = scan(concepts=concepts)
    assert [texts(folder) for folder in (*result.train, *result.classes)] == [
        ["photo of zwx dog"] * 2,  # names of digits alone give no words
        ["photo of ukj person, smiling", "photo of ukj person"],
        ["a poodle", "photo of a dog"],
        ["person", "person"],
    ]
    items = match_class_items(result)
    counts = [sum(item.repeats for item in items if item.picture.path.parent.name == name) for name in names]
    assert counts == [6, 6, 10, 10]


def test_captions_for_one_side_leave_the_other_its_prompt(data, scan):
    result = scan(data / "train", data / "reg", captions_for="instance", use_filename_as_caption=True)
    assert set(texts(result.classes[0])) == {"frog"}
    assert "a frog on a leaf" in texts(result.train[0])
    assert any("captions_for leaves these pictures out: 2 captions" in note for note in result.notes)
    result = scan(data / "train", data / "reg", captions_for="class")
    assert set(texts(result.train[0])) == {"sls frog"}
    assert "sls in the rain" in texts(result.classes[0])


def test_caption_and_prompt_in_one_text(data, scan):
    result = scan(data / "train", data / "reg", combine_prompt="[PX], [P]")
    assert texts(result.train[0]) == ["sls frog", "a frog on a leaf, sls frog", "sls frog"]
    (data / "train/2_sls frog/1.txt").write_text("[P] and [PX]")
    assert texts(scan(data / "train", combine_prompt="[P]: [PX]").train[0])[1] == "sls frog: [P] and [PX]"


def test_lines_are_one_text_or_one_each(data, scan):
    (data / "train/2_sls frog/1.txt").write_text("a frog\n\n  on a leaf\n")
    assert texts(scan(data / "train").train[0])[1] == "a frog on a leaf"
    result = scan(data / "train", wildcard=True, method="hybrid")
    assert texts(result.train[0])[1] == "sls\nsls, on a leaf"


def test_a_name_that_is_not_utf8_is_no_caption(tmp_path, save_pictures, scan, encode):
    folder = save_pictures(tmp_path / "1_sls frog", 0)
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(encode())
    result = scan(tmp_path, use_filename_as_caption=True)
    assert texts(result.train[0]) == ["sls frog"]
    assert any("named by no words" in note for note in result.notes)
