"""`dbtui caption` as a person uses it: what is written, what is left alone, and what it says."""

import json

import pytest

from dbtui.cli.app import run
from trainer_core.captioning.pictures import find_pictures
from trainer_core.errors import ExitCode, UserError

GREEN, RED = (0, 250, 0), (250, 0, 0)
GREEN_TAGS, RED_TAGS = "green frog, ^_^", "red hair"


@pytest.fixture
def model(tagger) -> str:
    return str(tagger())


@pytest.fixture
def caption(model):
    return lambda folder, *options: run(["caption", str(folder), "--model", model, *options])


def texts(folder) -> dict[str, str]:
    found = sorted([*folder.rglob("*.txt"), *folder.rglob("*.caption"), *folder.rglob("*.tags")])
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def test_every_picture_gets_a_caption_and_ones_own_stay(caption, picture_folder, capsys):
    folder = picture_folder(a=GREEN, b=RED, c=RED)
    (folder / "b.txt").write_text("my own\n")
    (folder / "c.caption").write_text("")
    assert caption(folder) == 0
    assert texts(folder) == {"a.txt": f"{GREEN_TAGS}\n", "b.txt": "my own\n", "c.caption": ""}
    out, err = capsys.readouterr()
    assert out == f"{folder / 'a.txt'}: {GREEN_TAGS}\n"
    assert "1 caption written, 2 were there and are as they were" in err
    assert caption(folder) == 0
    assert "0 captions written, 3 were there" in capsys.readouterr().err


def test_progress_off_a_terminal(caption, picture_folder, capsys, monkeypatch):
    monkeypatch.setattr("dbtui.cli.caption.SECONDS_BETWEEN_LINES", 0.0)
    assert caption(picture_folder(a=GREEN, b=RED, c=RED), "--batch-size", "2") == 0
    err = capsys.readouterr().err.splitlines()
    assert err == ["2 of 3 pictures", "3 of 3 pictures", "3 captions written"]


def test_append_adds_what_is_new_and_only_once(caption, picture_folder):
    folder = picture_folder(a=GREEN, b=RED)
    (folder / "a.txt").write_text("my own, Green Frog\n")
    for _ in range(2):
        assert caption(folder, "--append") == 0
        assert texts(folder) == {"a.txt": "my own, Green Frog, ^_^\n", "b.txt": f"{RED_TAGS}\n"}


def test_overwrite_replaces_the_file_that_training_reads(caption, picture_folder):
    folder = picture_folder(a=GREEN)
    (folder / "a.caption").write_text("my own")
    assert caption(folder, "--overwrite") == 0
    assert texts(folder) == {"a.caption": f"{GREEN_TAGS}\n"}


def test_prefix_extension_threshold_and_underscores(caption, picture_folder):
    folder = picture_folder(a=(120, 200, 0))
    (folder / "a.txt").write_text("my own")
    options = ["--prefix", "sls frog", "--extension", "tags", "--threshold", "0.7", "--keep-underscores"]
    assert caption(folder, *options) == 0
    assert texts(folder) == {"a.tags": "sls frog, green_frog, ^_^\n", "a.txt": "my own"}


def test_folders_of_the_guides_layout_are_gone_through(caption, picture_folder, capsys):
    folder = picture_folder("train/20_sls frog", a=GREEN).parent
    picture_folder("train", b=RED)
    picture_folder("train/others", c=RED)
    assert caption(folder) == 0
    assert texts(folder) == {"20_sls frog/a.txt": f"{GREEN_TAGS}\n", "b.txt": f"{RED_TAGS}\n"}
    assert "others: is not looked into" in capsys.readouterr().err


def test_broken_pictures_are_told_at_the_end_and_by_the_exit_code(caption, picture_folder, capsys):
    folder = picture_folder(a=GREEN, c=RED)
    (folder / "b.png").write_text("<html>")
    (folder / "d.tif").write_bytes(b"II*\0")
    assert caption(folder, "--json") == int(ExitCode.DATASET)
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert data["ok"] is False
    assert [each["caption"] for each in data["written"]] == [GREEN_TAGS, RED_TAGS]
    assert [each["path"].rpartition("/")[2] for each in data["failed"]] == ["d.tif", "b.png"]
    assert "b.png: " in err
    assert set(texts(folder)) == {"a.txt", "c.txt"}


def test_a_picture_with_nothing_to_say_gets_no_file(caption, picture_folder, capsys):
    folder = picture_folder(a=(10, 10, 10))
    assert caption(folder, "--prefix", "sls") == 0
    assert texts(folder) == {}
    assert "nothing to say of 1 picture (a.png)" in capsys.readouterr().err


def test_a_caption_that_cannot_be_appended_to(caption, picture_folder, capsys):
    folder = picture_folder(a=GREEN)
    (folder / "a.txt").write_bytes(b"caf\xe9")
    assert caption(folder, "--append") == int(ExitCode.DATASET)
    assert (folder / "a.txt").read_bytes() == b"caf\xe9"
    assert "not UTF-8" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to(caption, picture_folder, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer_core.captioning.folder.write_text", full)
    assert caption(picture_folder(a=GREEN)) == int(ExitCode.DISK)
    assert "a.txt cannot be written" in capsys.readouterr().err


def test_one_caption_for_two_files_of_one_name(picture_folder):
    folder = picture_folder(a=GREEN)
    (folder / "a.jpg").write_bytes((folder / "a.png").read_bytes())
    found = find_pictures(folder, None)
    assert [target.picture.name for target in found.targets] == ["a.jpg"]
    assert "a.png" in found.notes[0]


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--append", "--overwrite"], "say different things", ExitCode.CONFIG),
        (["--extension", ".png"], "cannot be that of captions", ExitCode.CONFIG),
        (["--extension", "a/b"], "cannot be that of captions", ExitCode.CONFIG),
        (["--threshold", "2"], "threshold", ExitCode.CONFIG),
    ],
)
def test_options_that_cannot_be(caption, picture_folder, capsys, options, words, code):
    folder = picture_folder(a=GREEN)
    assert caption(folder, *options) == int(code)
    assert words in capsys.readouterr().err
    assert texts(folder) == {}


def test_folders_without_pictures(caption, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for name, words in (("empty", "holds no pictures"), ("nowhere", "cannot be read")):
        assert caption(tmp_path / name) == int(ExitCode.DATASET)
        assert words in capsys.readouterr().err


def test_the_model_is_not_opened_for_nothing(picture_folder, tmp_path):
    folder = picture_folder(a=GREEN)
    (folder / "a.txt").write_text("my own")
    assert run(["caption", str(folder), "--model", str(tmp_path / "nowhere")]) == 0
    with pytest.raises(UserError, match="holds no pictures"):
        find_pictures(tmp_path, None)


def test_sentences_of_blip(blip, picture_folder, capsys):
    folder = picture_folder(a=GREEN, b=RED)
    assert run(["caption", str(folder), "--model", str(blip), "--prefix", "sls frog"]) == 0
    assert capsys.readouterr().err == "2 captions written\n"
    assert set(texts(folder)) == {"a.txt", "b.txt"}
    assert all(text.startswith("sls frog, ") and len(text) > 12 for text in texts(folder).values())
