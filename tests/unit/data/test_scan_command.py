"""`dbtui scan` as a person and a program use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbtui.cli.app import run
from trainer_core.data.scan import scan_dataset

NOT_UTF8 = os.fsdecode(b"\xff")


@pytest.fixture
def data(tmp_path, save_pictures):
    train = save_pictures(tmp_path / "train" / "20_sls frog", 3, size=(640, 480))
    (train / "0.txt").write_text("a frog [bold]on[/bold] a leaf")
    save_pictures(tmp_path / "reg" / "1_frog", 70, size=(512, 512))
    return tmp_path


def test_a_usable_dataset(data, capsys):
    assert run(["scan", str(data / "train"), "--reg", str(data / "reg")]) == 0
    out, err = capsys.readouterr()
    out = " ".join(out.split())
    for words in (
        "20_sls frog 3 pictures x 20 = 60",
        "captions 1/3 (.txt)",
        "1_frog (class)",
        "70 pictures x",
        "10 of 70 class pictures are never used",
        "24 repeats would be just enough (72)",
        "an epoch holds 120 items: 60 training + 60 class",
        "ready to train on",
    ):
        assert words in out
    assert err == ""


def test_buckets_and_resolution(data, capsys):
    assert run(["scan", str(data / "train"), "--buckets", "--resolution", "768,512"]) == 0
    assert "704 x 512" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--resolution", "500"], ["--resolution", "x"], ["--caption-extension", "a/b"]]
)
def test_a_wrong_option_is_exit_code_2(data, capsys, arguments):
    assert run(["scan", str(data / "train"), *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_problems_are_exit_code_3_and_all_shown(bad_folder, capsys):
    folder, expected = bad_folder
    (folder.parent / "20 sls frog").mkdir()
    assert run(["scan", str(folder.parent), "--deep"]) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert f"{len(expected) + 1} problems" in out
    for name in expected:
        assert out.count(f"5_sls frog/{name}:") == 1
    assert 'Rename it to "20_sls frog"' in out
    assert "ready" not in out


def test_json_says_everything(data, capsys):
    (data / "train" / "20_sls frog" / "bad.jpg").touch()
    assert run(["scan", str(data / "train"), "--reg", str(data / "reg"), "--json"]) == 3
    out, _ = capsys.readouterr()
    report = json.loads(out)
    assert report["usable"] is False
    assert report["epoch"] == {"train": 60, "class": 60}
    assert [(f["kind"], f["count"], f["captions"]) for f in report["folders"]] == [
        ("train", 60, {".txt": 1, "folder": 2}),
        ("class", 70, {"folder": 70}),
    ]
    first = report["folders"][0]["pictures"][0]
    assert (first["size"], first["trained_at"], first["caption_from"]) == ([640, 480], [512, 512], ".txt")
    assert report["balance"][0]["balancing_repeats"] == 24
    assert [Path(bad["path"]).name for bad in report["bad_images"]] == ["bad.jpg"]
    assert report["buckets"] == [{"size": [512, 512], "pictures": 63}]


@pytest.mark.row(44)
@pytest.mark.parametrize("name", ["\x1b]0;pwned\x07", "[bold]x[/nope]", "a\nb", NOT_UTF8, "\u202egpj"])
def test_hostile_names_and_captions_are_shown_escaped(tmp_path, encode, capsys, name):
    name = name.replace("/", "\u2215")
    folders = ("1_sls frog" if name == NOT_UTF8 else f"1_sls {name}", f"2 {name}")
    for number, folder in enumerate(folders):
        path = tmp_path / folder
        path.mkdir()
        (path / f"{name}{number}.jpg").write_bytes(b"")
        (path / f"{name}.png").write_bytes(encode("PNG", size=(64, 64)))
        (path / f"{name}.txt").write_bytes(name.encode("utf-8", "surrogateescape") + "é".encode("cp1252"))
    assert run(["scan", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    for character in "\x1b\x07\u202e\udcff":
        assert character not in out + err
    if name.startswith("[bold]"):
        assert "[bold]" in out
    if "\n" in name:
        assert "a⏎b" in out
    assert run(["scan", str(tmp_path), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["folders"][0]["path"] == str(tmp_path / folders[0])


def test_a_folder_name_that_is_not_utf8_is_a_fault_and_file_names_are_free(tmp_path, save_pictures, capsys):
    good = save_pictures(tmp_path / "1_sls frog", 1)
    (good / "0.jpg").rename(good / f"{NOT_UTF8}.jpg")
    (good / f"{NOT_UTF8}.txt").write_text("a caption")
    assert run(["scan", str(tmp_path)]) == 0
    assert "captions 1/1" in capsys.readouterr().out
    save_pictures(tmp_path / f"20_{NOT_UTF8} frog", 1)
    assert run(["scan", str(tmp_path)]) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "20_\\xff frog: the name is not UTF-8" in out
    assert "Rename it" in out


@pytest.mark.parametrize("arguments", [[f"{NOT_UTF8}\udcfe"], [".", "--reg", NOT_UTF8]])
def test_a_path_that_is_not_utf8_is_blamed_itself(capsys, arguments):
    assert run(["scan", *arguments]) == 2
    err = capsys.readouterr().err
    assert "\\xff" in err
    assert "is not UTF-8" in err
    assert "caption" not in err


def test_progress_counts_every_picture(data):
    from trainer_core.config.schema import Dataset

    calls = []
    dataset = Dataset(train_dir=str(data / "train"), reg_dir=str(data / "reg"))
    scan_dataset(dataset, [], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 73) for done in range(1, 74)]


def test_the_scanner_loads_no_torch(data):
    code = (
        "import sys; from dbtui.cli.app import run; code = run(['scan', sys.argv[1], '--deep'])\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, data / "train"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_novelai_and_flips_show_in_the_report(data, capsys):
    settings = ["dataset.bucket.shapes=novelai", "dataset.resolution=[512,768]", "dataset.flip_aug=true"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert run(["scan", str(data / "train"), "--buckets", *options]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "704 x 512 3" in out
    assert "each picture and its mirror image is encoded once and kept in memory: 1.1 MB" in out
    assert run(["scan", str(data / "train"), "--buckets", "--json", *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["latents"] == {"kept": "ram", "bytes": 2 * 3 * 88 * 64 * 32}
    assert report["buckets"] == [{"size": [704, 512], "pictures": 3}]


def test_what_cannot_be_cached_is_refused_before_anything_is_read(data, capsys):
    assert run(["scan", str(data / "train"), "--set", "dataset.color_aug=0.1"]) == 2
    assert 'set dataset.cache_latents = "off"' in capsys.readouterr().err
