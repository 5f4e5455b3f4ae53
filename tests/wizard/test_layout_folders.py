import errno
from pathlib import Path

import pytest

from dbtui.wizard.pictures import laying_out
from dbtui.wizard.pictures.laying_out import Subject, lay_out, plan_layout, proposed_target
from dbtui.wizard.pictures.look import look_at
from tests.wizard.drawn import draw
from trainer_core.config.schema import Dataset
from trainer_core.data.scan import scan_dataset
from trainer_core.errors import UserError


def subject(folder: Path, pictures, words="sls frog", repeats=20, **parts):
    identifier, _, class_name = words.partition(" ")
    return Subject(
        words=words,
        repeats=repeats,
        folder=folder,
        pictures=tuple(pictures),
        **{"identifier": identifier, "class_name": class_name, **parts},
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def frogs(tmp_path):
    """A plain folder: two pictures, one with a caption, and things that are none of it."""
    pictures = draw(tmp_path / "frogs", 2)
    pictures[0].with_suffix(".txt").write_text("sls frog on a leaf")
    (tmp_path / "frogs" / "notes.md").write_text("mine")
    (tmp_path / "frogs" / "other.txt").write_text("a caption of nothing")
    return pictures


@pytest.mark.parametrize("way", laying_out.WAYS)
def test_what_is_laid_out_is_read_as_what_it_was(tmp_path, frogs, way):
    before = contents(tmp_path / "frogs")
    target = proposed_target(tmp_path / "frogs")
    made = lay_out(plan_layout(target, [subject(tmp_path / "frogs", frogs)], None), way)
    scan = scan_dataset(Dataset(train_dir=str(target)), [])
    (folder,) = scan.train
    assert (folder.identifier, folder.class_name, folder.repeats) == ("sls", "frog", 20)
    assert [picture.caption for picture in folder.pictures] == ["sls frog on a leaf", "sls frog"]
    assert not scan.faults
    assert contents(tmp_path / "frogs") == before
    assert sorted(contents(target)) == [
        "20_sls frog/frog-0.png",
        "20_sls frog/frog-0.txt",
        "20_sls frog/frog-1.png",
    ]
    assert made.moved[frogs[1]] == target / "20_sls frog" / "frog-1.png"
    assert (made.linked, made.copied) == ((0, 3) if way == "copy" else (3, 0))
    picture = target / "20_sls frog" / "frog-0.png"
    assert picture.is_symlink() == (way == "symbolic")
    assert picture.samefile(frogs[0]) == (way != "copy")


def test_several_subjects_go_into_one_folder(tmp_path, frogs):
    dogs = draw(tmp_path / "dogs", 1, name="dog")
    subjects = [subject(tmp_path / "frogs", frogs), subject(tmp_path / "dogs", dogs, "ukj dog", 5)]
    target = tmp_path / "both"
    lay_out(plan_layout(target, subjects, None), "hard")
    scan = scan_dataset(Dataset(train_dir=str(target)), [])
    assert {folder.prompt: folder.count for folder in scan.train} == {"sls frog": 40, "ukj dog": 5}


def test_a_link_of_the_persons_own_is_followed_where_hard_links_are_made(tmp_path, frogs):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "linked.png"
    link.symlink_to(frogs[0])
    lay_out(plan_layout(tmp_path / "new", [subject(tmp_path / "links", [link])], None), "hard")
    laid = tmp_path / "new" / "20_sls frog" / "linked.png"
    assert laid.samefile(frogs[0])
    assert not laid.is_symlink()
    assert link.is_symlink()


def test_where_links_are_not_possible_files_are_copied(tmp_path, frogs, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(laying_out.os, "link", refuse)
    made = lay_out(plan_layout(tmp_path / "new", [subject(tmp_path / "frogs", frogs)], None), "hard")
    assert (made.linked, made.copied) == (0, 3)
    assert not (tmp_path / "new" / "20_sls frog" / "frog-0.png").samefile(frogs[0])


@pytest.mark.parametrize("failing", ["disk", "stopped"])
def test_half_way_through_everything_is_undone(tmp_path, frogs, monkeypatch, failing):
    before = contents(tmp_path)

    class StoppedError(Exception):
        pass

    def progress(done, total):
        if done == 2 and failing == "stopped":
            raise StoppedError

    copy = laying_out.shutil.copy2

    def copied(source, place):
        if Path(source) == frogs[1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, place)

    if failing == "disk":
        monkeypatch.setattr(laying_out.shutil, "copy2", copied)
    plan = plan_layout(tmp_path / "new", [subject(tmp_path / "frogs", frogs)], None)
    with pytest.raises((UserError, StoppedError)) as caught:
        lay_out(plan, "copy", progress)
    assert failing == "stopped" or "No space left on device" in caught.value.problems[0]
    assert contents(tmp_path) == before
    assert names(tmp_path) == ["frogs", "here"]


def test_nothing_is_ever_overwritten(tmp_path, frogs):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        plan_layout(tmp_path / "new", [subject(tmp_path / "frogs", frogs)], None)
    plan = plan_layout(tmp_path / "later", [subject(tmp_path / "frogs", frogs)], None)
    (tmp_path / "later").mkdir()
    with pytest.raises(UserError, match="File exists"):
        lay_out(plan, "hard")
    assert names(tmp_path) == ["frogs", "here", "later", "new"]
    assert not names(tmp_path / "later")


@pytest.mark.parametrize(
    ("words", "parts", "said"),
    [
        ("", {"identifier": None, "class_name": ""}, "needs words"),
        ("a/b frog", {"identifier": "a/b"}, "cannot be the name"),
        ("x" * 300, {}, "cannot be the name"),
        ("shs xyz frog", {"identifier": "shs xyz", "class_name": "frog"}, 'read as "shs" and "xyz frog"'),
        (
            "a photo of sls frog",
            {"identifier": "sls", "class_name": "frog"},
            'read as "a" and "photo of sls frog"',
        ),
        ("sls  frog", {"class_name": "frog"}, "other words"),
    ],
)
def test_words_that_no_name_can_hold_are_refused(tmp_path, frogs, words, parts, said):
    with pytest.raises(UserError, match=said):
        plan_layout(tmp_path / "new", [subject(tmp_path / "frogs", frogs, words, **parts)], None)


def test_the_new_folder_is_not_put_among_the_pictures(tmp_path, frogs):
    with pytest.raises(UserError, match="lies inside"):
        plan_layout(tmp_path / "frogs" / "new", [subject(tmp_path / "frogs", frogs)], None)
    with pytest.raises(UserError, match="is no folder"):
        plan_layout(tmp_path / "nowhere" / "new", [subject(tmp_path / "frogs", frogs)], None)
    with pytest.raises(UserError, match="share the folder"):
        plan_layout(tmp_path / "new", [subject(tmp_path / "frogs", frogs)] * 2, None)


def test_a_name_that_is_free_is_proposed(tmp_path):
    assert proposed_target(tmp_path / "frogs") == tmp_path / "frogs-train"
    (tmp_path / "frogs-train").mkdir()
    assert proposed_target(tmp_path / "frogs") == tmp_path / "frogs-train-2"


def test_a_folder_is_taken_for_what_its_names_say(tmp_path, frogs):
    draw(tmp_path / "laid" / "20_sls frog", 1)
    draw(tmp_path / "wrong" / "20 sls frog", 1)
    draw(tmp_path / "above" / "holiday", 1)
    draw(tmp_path / "5_sls frog", 1)
    (tmp_path / "empty").mkdir()
    assert look_at(str(tmp_path / "frogs")).kind == "plain"
    assert look_at(str(tmp_path / "laid")).kind == "layout"
    assert look_at(str(tmp_path / "wrong")).kind == "layout"  # the scan says what is wrong with the name
    assert "choose" in look_at(str(tmp_path / "above")).problem
    assert "above/holiday" in look_at(str(tmp_path / "above")).problem
    assert '"5_sls frog", is not read' in look_at(str(tmp_path / "5_sls frog")).remark
    assert "holds no pictures" in look_at(str(tmp_path / "empty")).problem
    assert "does not exist" in look_at(str(tmp_path / "nowhere")).problem
    assert "is a file" in look_at(str(frogs[0])).problem
