"""Paths that cannot be looked at: every command says so with the right exit code, and nothing raises."""

import errno
import os
from pathlib import Path

import pytest
from PIL import Image

from dbtui.cli.app import run
from trainer_core import on_disk

LONG = "x" * 300
NOT_UTF8 = os.fsdecode(b"\xff")
RUN_FILE = """\
schema = 1
[model]
base = "gone.safetensors"
[dataset]
train_dir = "train"
resolution = [64, 64]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a run file, pictures, and the folder np, into which nobody may look."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    Path("run.toml").write_text(RUN_FILE)
    pictures = Path("train/20_sls frog")
    pictures.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(pictures / "a.png")
    Path("np").mkdir()
    _close(tmp_path / "np", monkeypatch)
    return tmp_path


def _close(folder: Path, monkeypatch):
    """Let `folder` refuse as it would refuse everybody but root, who may be running the tests."""

    def refusing(call, *, itself: bool):
        def wrapped(path=".", *rest, **options):
            place = Path.cwd() / os.fspath(path) if isinstance(path, str | Path) else Path("/")
            if folder in place.parents or (itself and place == folder):
                if call is access:
                    return False
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return call(path, *rest, **options)

        return wrapped

    access = os.access
    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name), itself=False))
    for name in ("access", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name), itself=True))


@pytest.mark.parametrize("place", [LONG, f"{LONG}/a", "np/a", "np/deep/a", "a\0b", "\ud800", "gone", "gone/a"])
def test_nothing_raises(here, place):
    assert not on_disk.is_folder(place)
    assert not on_disk.is_file(place)
    assert on_disk.is_absent(place) == (not place.startswith("np/"))
    expected = "Permission" if place.startswith("np/") else "too long" if LONG in place else "no such"
    assert expected in on_disk.why_not_there(place)


def test_what_is_there_is_seen(here):
    assert on_disk.is_folder("train")
    assert on_disk.is_file("run.toml")
    assert not on_disk.is_absent("train")
    assert on_disk.why_closed(Path("train")) is None
    assert "Permission denied" in on_disk.why_closed(Path("np"))
    Path("link").symlink_to("nowhere")
    assert on_disk.exists("link")
    assert on_disk.is_absent("link")
    assert on_disk.from_home("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert (on_disk.is_utf8("é"), on_disk.is_utf8(Path(NOT_UTF8))) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["plan", "run.toml", "--model", "np/x"], 4, "np/x: cannot be looked at (Permission denied)"),
        (["plan", "run.toml", "--model", f"./{LONG}.ckpt"], 4, "cannot be looked at (File name too long)"),
        (["plan", "run.toml", "--set", f'save.output_dir="{LONG}"'], 4, "a name of more than 255 bytes"),
        (["plan", "run.toml", "--runs-dir", LONG, "--name", "a"], 4, "a name of more than 255 bytes"),
        (["plan", "run.toml", "--runs-dir", "np/a", "--name", "a"], 4, "error: nothing can be written into np/a"),
        (["plan", "run.toml", "--runs-dir", NOT_UTF8], 4, "\\xff is not a UTF-8 name"),
        (["plan", "run.toml", "--data", "np", "--identifier", "sls"], 4, "np: cannot be read (Permission denied)"),
        (["plan", "np/a.toml"], 2, "cannot be read (Permission denied); check the path and its permissions"),
        (["attach", "np/a"], 2, "np/a is not a run: its run.toml cannot be looked at (Permission denied)"),
        (["attach", LONG], 2, "there is no run"),
        (["attach", f"./{LONG}"], 2, "is not a run"),
        (["convert", "np/q.ckpt", "out"], 4, "np/q.ckpt: cannot be looked at (Permission denied)"),
        (["convert", LONG, "out"], 4, "cannot be looked at (File name too long)"),
        (["convert", "gone.ckpt", "np/q.ckpt"], 6, "nothing can be written into np"),
        (["convert", "gone.ckpt", "np/deep/q.ckpt"], 6, "nothing can be written into np/deep"),
        (["convert", "gone.ckpt", LONG], 2, "the name is longer than"),
        (["convert", "gone.ckpt", NOT_UTF8], 2, "\\xff is not a UTF-8 name"),
        (["convert", "gone.ckpt", "out", "--vae", "np/q.ckpt"], 4, "np/q.ckpt: cannot be looked at"),
        (["convert", "gone.ckpt", "out", "--vae", LONG], 4, "cannot be looked at (File name too long)"),
        (["convert", "gone.ckpt", "out", "--vae", NOT_UTF8], 2, "--vae is not UTF-8"),
        (["convert", NOT_UTF8, "out"], 2, "SRC is not UTF-8"),
        (["convert", "", "out"], 2, "SRC is empty"),
        (["convert", "~nobody-of-that-name/m", "out"], 4, "no such file or folder"),
        (["token", "sls", NOT_UTF8], 2, '"\\xff" is not UTF-8'),
        (["plan", "run.toml", "--mdoel", "x"], 2, ". Try `dbtui --help`."),
        (["plan", "run.toml", "--model"], 2, ". Try `dbtui --help`."),
    ],
)
def test_the_commands_say_it(here, capsys, arguments, code, words):
    assert run(arguments) == code
    error = capsys.readouterr().err
    assert words in error
    assert "unexpected" not in error
    assert ".. Try" not in error
    assert not any(Path(name).exists() for name in ("out", "runs", LONG[:255]))


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_picture_folder_that_is_not_utf8(here, capsys, command):
    (here / "train" / f"20_{NOT_UTF8} frog").mkdir()
    run([command, "run.toml", "--model", "gone.safetensors"])
    error = capsys.readouterr().err
    assert "20_\\xff frog: the name is not UTF-8" in error
    assert "Rename it" in error


def test_own_presets_that_cannot_be_read_are_said_to_be_left_out(here, capsys, monkeypatch):
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(here / "np"))
    assert run(["preset", "list"]) == 0
    out, err = capsys.readouterr()
    assert "sd15-12gb" in out
    assert "np/presets: your own presets are left out" in err
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(here / "config"))
    assert run(["preset", "list"]) == 0
    assert "left out" not in capsys.readouterr().err, "a folder that is not there is none"


def test_a_full_disk_ends_the_demo_with_a_message(here, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert run(["demo", "--runs-dir", "demo-runs"]) == 6
    error = capsys.readouterr().err
    assert "demo-files" in error
    assert "No space left on device" in error
    assert "--runs-dir" in error
