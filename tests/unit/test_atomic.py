"""Files and folders appear whole or not at all, and interrupted writes leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_core.run.atomic import STAGING_PREFIX, remove_strays, staged, write_text


class BrokenOffError(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_folder(target: Path, **files: str) -> None:
    with staged(target) as staging:
        staging.mkdir()
        for name, text in files.items():
            (staging / name).write_text(text)


def break_off(target: Path, error: type[BaseException], *, folder: bool = False) -> None:
    with staged(target) as staging:
        if folder:
            staging.mkdir()
        (staging / "two" if folder else staging).write_text("half")
        raise error


def test_a_file_takes_its_place(tmp_path: Path):
    with staged(tmp_path / "a.txt") as staging:
        staging.write_text("new")
        assert staging.parent == tmp_path  # a rename across file systems would be a copy
        assert not (tmp_path / "a.txt").exists()
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_file_is_replaced(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [BrokenOffError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: type[BaseException]):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error):
        break_off(tmp_path / "a.txt", error)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_nothing_written_is_an_error_and_leaves_the_old_file(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), staged(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path):
    write_folder(tmp_path / "model", one="1", two="2")
    write_folder(tmp_path / "model", two="new", three="3")
    assert names(tmp_path) == ["model"]
    assert {path.name: path.read_text() for path in (tmp_path / "model").iterdir()} == {"two": "new", "three": "3"}


def test_an_error_leaves_the_old_folder(tmp_path: Path):
    write_folder(tmp_path / "model", one="1")
    with pytest.raises(BrokenOffError):
        break_off(tmp_path / "model", BrokenOffError, folder=True)
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["one"]


def test_a_folder_that_cannot_take_its_place_gives_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_folder(tmp_path / "model", one="1")
    rename = Path.replace

    def fail_once_staged(self: Path, target: Path) -> Path:
        if self.name.startswith(STAGING_PREFIX) and "-old-" not in self.name:
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", fail_once_staged)
    with pytest.raises(OSError, match="no"):
        write_folder(tmp_path / "model", two="2")
    assert names(tmp_path / "model") == ["one"]
    assert names(tmp_path) == ["model"]


def test_strays_of_a_killed_process_are_removed(tmp_path: Path):
    code = (
        "import os, pathlib, signal, sys\n"
        "from trainer_core.run.atomic import staged\n"
        "with staged(pathlib.Path(sys.argv[1]) / 'model') as staging:\n"
        "    staging.mkdir()\n"
        "    (staging / 'half').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    write_text(tmp_path / "kept.txt", "x")
    (stray,) = remove_strays(tmp_path)
    assert stray.name.startswith(STAGING_PREFIX)
    assert names(tmp_path) == ["kept.txt"]


def test_a_stray_link_is_removed_and_not_followed(tmp_path: Path):
    write_folder(tmp_path / "precious", file="x")
    (tmp_path / f"{STAGING_PREFIX}link").symlink_to(tmp_path / "precious", target_is_directory=True)
    remove_strays(tmp_path)
    assert names(tmp_path) == ["precious"]
    assert names(tmp_path / "precious") == ["file"]


def test_a_folder_that_is_not_there_has_no_strays(tmp_path: Path):
    assert remove_strays(tmp_path / "nowhere") == []


def test_undecodable_text_is_written_as_it_was(tmp_path: Path):
    write_text(tmp_path / "a.txt", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "a.txt").read_bytes() == b"caf\xe9"


def test_where_others_write_too_only_what_bears_ones_own_names_goes(tmp_path: Path):
    from functools import partial

    from trainer_core.train.naming import is_name_of

    own = ["frog", "frog.safetensors", "frog.yaml", "frog-000001.ckpt", "frog-step00000010", "frog-1000000"]
    others = ["frog-2.safetensors", "last.safetensors", "frogs.ckpt", "frog-step1", "tree-frog"]
    for name in own + others:
        (tmp_path / f"{STAGING_PREFIX}{name}-0123456789ab").touch()
    assert len(remove_strays(tmp_path, partial(is_name_of, "frog"))) == len(own)
    assert names(tmp_path) == sorted(f"{STAGING_PREFIX}{name}-0123456789ab" for name in others)
    unnamed = ["last.safetensors", "epoch-000001", "at-step00000010.ckpt"]
    assert [is_name_of(None, name) for name in [*unnamed, "frog", "lasting"]] == [True] * 3 + [False] * 2
