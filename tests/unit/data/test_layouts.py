"""The layouts of the guide, the ways in which people get them wrong, and the [[concept]] list."""

import os

import pytest

from trainer_core.data.balance import match_class_items
from trainer_core.data.scan import raise_for_faults
from trainer_core.errors import UserError


def texts(result):
    return [f"{fault.path.name}: {fault.text}" for fault in result.faults]


def test_the_guides_frog(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "train" / "20_sls frog", 3)
    save_pictures(tmp_path / "reg" / "1_frog", 4)
    result = scan(tmp_path / "train", tmp_path / "reg")
    (train,), (frogs,) = result.train, result.classes
    assert (train.repeats, train.identifier, train.class_name, train.prompt) == (20, "sls", "frog", "sls frog")
    assert (train.kind, train.count, frogs.kind, frogs.count) == ("train", 60, "class", 4)
    assert (frogs.repeats, frogs.identifier, frogs.class_name, frogs.prompt) == (1, None, "frog", "frog")
    assert {(p.caption, p.caption_from) for p in train.pictures} == {("sls frog", "folder")}
    assert [p.path.name for p in train.pictures] == ["0.jpg", "1.jpg", "2.jpg"]
    assert (result.faults, result.bad_images, result.notes) == ((), (), ())


def test_several_classes_and_one_class_for_two_identifiers(tmp_path, save_pictures, scan):
    for name in ("10_sls 1girl", "10_cpc 1girl", "5_sls frog", "5_cpc rabbit"):
        save_pictures(tmp_path / "train" / name, 2)
    for name in ("1_1girl", "1_frog", "2_rabbit"):
        save_pictures(tmp_path / "reg" / name, 3)
    result = scan(tmp_path / "train", tmp_path / "reg")
    assert result.faults == ()
    assert [(f.identifier, f.class_name) for f in result.train] == [
        ("cpc", "1girl"),
        ("sls", "1girl"),
        ("cpc", "rabbit"),
        ("sls", "frog"),
    ]
    assert sorted(folder.class_name for folder in result.classes) == ["1girl", "frog", "rabbit"]


def test_the_folder_of_the_pictures_itself_is_understood_and_said(tmp_path, save_pictures, scan, monkeypatch):
    leaf = save_pictures(tmp_path / "20_sls frog", 2)
    for given in (leaf, f"{leaf}/", "."):
        monkeypatch.chdir(leaf)
        result = scan(given)
        assert result.train[0].repeats == 20
        assert result.train[0].prompt == "sls frog"
        assert any("not its parent" in note for note in result.notes)


def test_a_relative_path_starts_at_the_current_directory(tmp_path, save_pictures, scan, monkeypatch):
    save_pictures(tmp_path / "train" / "2_sls frog", 1)
    monkeypatch.chdir(tmp_path)
    assert scan("train").train[0].count == 2


def test_wrong_names_are_all_reported_at_once(tmp_path, save_pictures, scan):
    for name in ("20 sls frog", "0_x", "-3_x", "sls frog", "2_good one"):
        save_pictures(tmp_path / name, 1)
    result = scan(tmp_path)
    assert sorted(fault.path.name for fault in result.faults) == ["-3_x", "0_x", "20 sls frog", "sls frog"]
    assert [folder.path.name for folder in result.train] == ["2_good one"]


def test_a_folder_of_something_else_is_a_remark(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "2_sls frog", 1)
    (tmp_path / "logs").mkdir()
    result = scan(tmp_path)
    assert result.faults == ()
    assert [note for note in result.notes if "logs" in note]


def test_spaces_around_a_name_are_stripped_and_said(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "20_sls frog ", 1)
    result = scan(tmp_path)
    assert result.train[0].class_name == "frog"
    assert any('read as "sls frog"' in note for note in result.notes)


def test_one_word_is_a_class_without_identifier(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "20_frog", 1)
    result = scan(tmp_path)
    assert (result.train[0].identifier, result.train[0].class_name) == (None, "frog")
    assert any("without an identifier" in note for note in result.notes)


def test_loose_and_nested_and_hidden_things_are_mentioned(tmp_path, save_pictures, scan, encode):
    folder = save_pictures(tmp_path / "2_sls frog", 1)
    save_pictures(folder / "day one", 1)
    for name in ("._0.jpg", ".DS_Store", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    for name in ("__MACOSX", ".ipynb_checkpoints"):
        save_pictures(folder / name, 1)
    (tmp_path / "loose.png").write_bytes(encode("PNG"))
    result = scan(tmp_path)
    notes = "\n".join(result.notes)
    assert (result.faults, result.bad_images) == ((), ())
    assert len(result.train[0].pictures) == 1
    assert "loose.png" in notes
    assert "day one" in notes
    assert "hidden or system, ignored: 5 files" in notes


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.touch(), "not a folder"),
        (lambda path: path.mkdir(), "holds no pictures"),
        (lambda path: (path / "1_sls frog").mkdir(parents=True), "holds no pictures"),
        (lambda path: (path / "img" / "1_sls frog").mkdir(parents=True), "img inside it does"),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_fault(tmp_path, scan, make, words):
    make(tmp_path / "data")
    result = scan(tmp_path / "data")
    (fault,) = result.faults
    assert words in fault.text
    with pytest.raises(UserError):
        raise_for_faults(result, "skip")


def test_loose_pictures_alone_are_a_fault_that_names_them(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "frogs", 2)
    (text,) = texts(scan(tmp_path / "frogs"))
    assert "2 pictures lying loose" in text
    assert "0.jpg, 1.jpg" in text


def test_both_folders_wrong_are_two_faults(tmp_path, scan):
    assert len(scan(tmp_path / "a", tmp_path / "b").faults) == 2


def test_nothing_named_at_all(scan):
    (text,) = texts(scan())
    assert text.startswith("dataset.train_dir: is not set")


def test_class_pictures_that_nobody_uses(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "train" / "2_sls frog", 1)
    save_pictures(tmp_path / "reg" / "1_dog", 1)
    (text,) = texts(scan(tmp_path / "train", tmp_path / "reg"))
    assert 'no training folder has the class "dog", only "frog"' in text
    save_pictures(tmp_path / "reg" / "1_Frog", 1)
    result = scan(tmp_path / "train", tmp_path / "reg")
    assert result.faults == ()
    assert any("1_dog: is not used" in note for note in result.notes)


def test_one_folder_for_both_kinds_is_a_fault(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "1_sls frog", 1)
    assert any("Give each its own folder" in text for text in texts(scan(tmp_path, tmp_path)))


def test_concepts_take_folders_with_any_name(tmp_path, save_pictures, scan):
    frog, rabbit, dogs = (str(save_pictures(tmp_path / name, 2)) for name in ("my frog!", "20 rabbits", "dogs"))
    result = scan(
        concepts=[
            {"identifier": "sls", "class": "frog", "instance_dir": frog, "repeats": 7},
            {"instance_prompt": "photo of cpc rabbit", "class": "rabbit", "instance_dir": rabbit},
            {
                "identifier": "sls",
                "class": "dog",
                "instance_dir": rabbit,
                "class_dir": dogs,
                "class_prompt": "a dog",
            },
            {
                "identifier": "cpc",
                "class": "dog",
                "instance_dir": frog,
                "class_dir": dogs,
                "class_prompt": "a dog",
            },
        ]
    )
    assert result.faults == ()
    assert [(f.repeats, f.prompt) for f in result.train] == [
        (7, "sls frog"),
        (1, "photo of cpc rabbit"),
        (1, "sls dog"),
        (1, "cpc dog"),
    ]
    assert result.train[0].pictures[0].caption_from == "prompt"
    (shared,) = result.classes
    assert (shared.prompt, shared.class_name, len(shared.pictures)) == ("a dog", "dog", 2)
    assert sum("named more than once" in note for note in result.notes) == 2


def test_concepts_and_the_layout_together(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "train" / "2_sls frog", 1)
    other = save_pictures(tmp_path / "other", 3)
    frogs = save_pictures(tmp_path / "frogs", 5)
    result = scan(
        tmp_path / "train",
        concepts=[{"identifier": "cpc", "class": "frog", "instance_dir": str(other), "class_dir": str(frogs)}],
    )
    assert [folder.count for folder in result.train] == [2, 3]
    assert sum(item.repeats for item in match_class_items(result) if item.is_class) == 5


def test_concepts_that_say_too_little(tmp_path, save_pictures, scan):
    folder = str(save_pictures(tmp_path / "p", 1))
    result = scan(
        concepts=[{"instance_dir": folder}, {"identifier": "sls"}, {"class_dir": str(tmp_path / "gone")}]
    )
    assert [text.partition(":")[0] for text in texts(result)] == ["concept[1]", "concept[2]", "concept[3]", "gone"]


def test_hostile_and_odd_names_are_accepted(tmp_path, save_pictures, scan, encode):
    folder = save_pictures(tmp_path / "1_sls frog", 0)
    names = ["\x1b]0;x\x07.jpg", "a\nb.jpg", "-rf.JPG", "🐸.Png", "é" * 120 + ".jpg", os.fsdecode(b"caf\xe9.jpg")]
    for name in names:
        (folder / name).write_bytes(encode("PNG" if name.endswith("Png") else "JPEG"))
    result = scan(tmp_path, deep=True)
    assert result.bad_images == ()
    assert sorted(p.path.name for p in result.train[0].pictures) == sorted(names)


def test_exact_copies_are_mentioned_by_the_deep_scan(tmp_path, save_pictures, scan):
    folder = save_pictures(tmp_path / "1_sls frog", 2)
    (folder / "0.jpg").write_bytes((folder / "1.jpg").read_bytes()[:-2] + b"\0\0\xff\xd9")
    assert not any("exact copies" in note for note in scan(tmp_path, deep=True).notes)
    (folder / "2.jpg").write_bytes((folder / "1.jpg").read_bytes())
    (note,) = (note for note in scan(tmp_path, deep=True).notes if "exact copies" in note)
    assert "1 picture (1_sls frog/2.jpg of 1_sls frog/1.jpg)" in note


def test_a_parent_named_as_a_concepts_folder(tmp_path, save_pictures, scan):
    save_pictures(tmp_path / "1_sls frog", 1)
    (text,) = texts(scan(concepts=[{"identifier": "sls", "class": "frog", "instance_dir": str(tmp_path)}]))
    assert "Name it as dataset.train_dir instead" in text


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "a\0b", "x" * 300])
def test_paths_that_no_system_knows(scan, path):
    assert len(scan(path).faults) == 1
