import json

import pytest

from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import DraftFile, load_draft
from dbtui.wizard.pictures import caption_edits
from dbtui.wizard.pictures.caption_edits import changed_since, edits, keep, move, open_caption, save
from dbtui.wizard.pictures.found import Seen
from dbtui.wizard.pictures.words import own_prompt
from tests.wizard.drawn import draw
from trainer_core.config.schema import Concept, Dataset
from trainer_core.data.captions import CaptionError
from trainer_core.data.dataset import Picture
from trainer_core.data.scan import scan_dataset


def picture(path):
    return Picture(path=path, size=(640, 512), caption="", caption_from="prompt")


def edited(draft, path, text, prompt="sls frog", **settings):
    opened = open_caption(picture(path), Dataset(**settings), prompt, draft)
    keep(draft, opened, text)
    return opened


def test_a_new_caption_begins_with_the_prompt_and_is_written_beside_the_picture(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    draft = Draft()
    opened = edited(draft, path, "sls frog,  at night")
    assert opened.edit.text == "sls frog"
    assert not path.with_suffix(".txt").exists()
    saved = save(edits(draft).values(), overwrite=False)
    assert (saved.written, saved.problems) == ([path], [])
    assert path.with_suffix(".txt").read_text() == "sls frog, at night\n"
    scan = scan_dataset(Dataset(), [Concept(instance_dir=str(path.parent), identifier="sls", class_="frog")])
    assert scan.train[0].pictures[0].caption == "sls frog, at night"


def test_what_is_put_back_is_no_edit(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    path.with_suffix(".txt").write_text("a frog\n")
    draft = Draft()
    edited(draft, path, "another frog")
    assert open_caption(picture(path), Dataset(), "", draft).edit.text == "another frog"
    edited(draft, path, "a frog")
    assert edits(draft) == {}
    assert draft.aside == {}


def test_an_emptied_caption_empties_its_file_and_makes_none(tmp_path):
    first, second = draw(tmp_path / "frogs", 2)
    first.with_suffix(".caption").write_text("a frog")
    draft = Draft()
    edited(draft, first, "")
    edited(draft, second, "")
    save(edits(draft).values(), overwrite=False)
    assert first.with_suffix(".caption").read_text() == ""
    assert sorted(path.suffix for path in first.parent.iterdir()) == [".caption", ".png", ".png"]


def test_the_file_that_training_reads_is_the_one_written(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    path.with_suffix(".txt").write_text("second")
    path.with_suffix(".caption").write_text("first")
    draft = Draft()
    edited(draft, path, "changed")
    save(edits(draft).values(), overwrite=False)
    assert (path.with_suffix(".caption").read_text(), path.with_suffix(".txt").read_text()) == (
        "changed\n",
        "second",
    )
    edited(draft, path, "tags", caption_extension="tags")
    assert edits(draft)[path].file.suffix == ".caption"  # the edit that is not saved yet
    caption_edits.forget(draft, [path])
    edited(draft, path, "tags", caption_extension="tags")
    assert edits(draft)[path].file == path.with_suffix(".tags")


@pytest.mark.parametrize("meanwhile", ["changed", "made", "removed"])
def test_what_another_wrote_meanwhile_is_left_alone_unless_wanted(tmp_path, meanwhile):
    (path,) = draw(tmp_path / "frogs", 1)
    file = path.with_suffix(".txt")
    if meanwhile != "made":
        file.write_text("a frog")
    draft = Draft()
    edited(draft, path, "my frog")
    if meanwhile == "removed":
        file.unlink()
    else:
        file.write_text("another's frog")
    (edit,) = edits(draft).values()
    assert changed_since([edit]) == [edit]
    saved = save([edit], overwrite=False)
    assert (saved.written, saved.changed) == ([], [file])
    assert saved.problems == ["frog-0.txt has changed on disk and was left alone"]
    assert not file.exists() if meanwhile == "removed" else file.read_text() == "another's frog"
    assert save([edit], overwrite=True).written == [path]
    assert file.read_text() == "my frog\n"


def test_a_linked_caption_is_replaced_and_the_original_stays(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    (tmp_path / "original.txt").write_text("a frog")
    path.with_suffix(".txt").symlink_to(tmp_path / "original.txt")
    draft = Draft()
    edited(draft, path, "my frog")
    save(edits(draft).values(), overwrite=False)
    assert (tmp_path / "original.txt").read_text() == "a frog"
    assert path.with_suffix(".txt").read_text() == "my frog\n"


def test_edits_survive_with_the_draft_and_go_along_when_pictures_are_laid_out(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1, name="frog\udcff")
    draft = Draft(preset="sd15-12gb")
    edited(draft, path, "my frog")
    file = DraftFile.new()
    file.save(draft)
    restored = load_draft(file.path)
    file.forget()
    assert edits(restored) == edits(draft)
    target = tmp_path / "new" / "20_sls frog" / path.name
    move(restored, {path: target})
    (edit,) = edits(restored).values()
    assert (edit.picture, edit.file, edit.text) == (target, target.with_suffix(".txt"), "my frog")


@pytest.mark.parametrize("aside", [None, [], {"x": 1}, {"x": {"file": 1, "text": "", "seen": ""}}])
def test_a_meddled_draft_has_no_edits(aside):
    assert edits(Draft(aside={"captions": aside})) == {}


def test_characters_that_no_terminal_shows_are_left_out_and_counted(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    path.with_suffix(".txt").write_text("a \x1b]0;x\x07frog\u202e,\tgreen [bold]")
    opened = open_caption(picture(path), Dataset(), "", Draft())
    assert (opened.edit.text, opened.lost) == ("a ]0;xfrog, green [bold]", 3)


def test_a_caption_that_cannot_be_edited_is_told(tmp_path):
    (path,) = draw(tmp_path / "frogs", 1)
    path.with_suffix(".txt").write_bytes(b"caf\xe9")
    with pytest.raises(CaptionError, match="not UTF-8"):
        open_caption(picture(path), Dataset(), "", Draft())
    path.with_suffix(".txt").write_text("one\ntwo")
    with pytest.raises(CaptionError, match="2 lines"):
        open_caption(picture(path), Dataset(wildcard=True), "", Draft())
    assert open_caption(picture(path), Dataset(), "", Draft()).edit.text == "one two"


def test_a_file_that_cannot_be_written_is_told_and_the_edit_stays(tmp_path, monkeypatch):
    (path,) = draw(tmp_path / "frogs", 1)
    draft = Draft()
    edited(draft, path, "my frog")

    def full(target, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caption_edits, "write_text", full)
    saved = save(edits(draft).values(), overwrite=False)
    assert saved.written == []
    assert "cannot be written (No space left on device)" in saved.problems[0]
    assert json.dumps(draft.aside)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("concept", "settings", "method", "begins"),
    [
        ({"identifier": "sls", "class": "frog"}, {}, "dreambooth", "sls frog"),
        ({"instance_prompt": "a photo of sls, [filewords]"}, {}, "dreambooth", "frog-0"),
        ({}, {"use_filename_as_caption": True}, "finetune", "frog-0"),
        ({"identifier": "sls", "class": "frog"}, {"combine_prompt": "[P], [PX]"}, "dreambooth", ""),
    ],
)
def test_a_new_caption_begins_with_the_pictures_own_words(tmp_path, concept, settings, method, begins):
    (path,) = draw(tmp_path / "frogs", 1)
    concepts = [Concept.model_validate({"instance_dir": str(path.parent), **concept})]
    scan = scan_dataset(Dataset(**settings), concepts, method=method)
    (folder,) = scan.train
    assert own_prompt(Seen(folder.pictures[0], folder), Dataset(**settings)) == begins
