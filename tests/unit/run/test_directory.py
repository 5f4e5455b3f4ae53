import errno
import os
from pathlib import Path

import pytest

from trainer_core.errors import ExitCode, UserError
from trainer_core.run import directory
from trainer_core.run.directory import create_numbered_run, create_run, open_run, shared_cache
from trainer_core.run.names import is_run_name, next_free_name, stem_of


def test_a_run_is_private_and_starts_with_its_configuration(tmp_path: Path):
    run = create_run(tmp_path / "deep" / "runs", "a.b_c-1", "schema = 1\n")
    assert run.run_toml.read_text() == "schema = 1\n"
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in run.path.iterdir()] == ["run.toml"]
    assert open_run(run.path).name == "a.b_c-1"
    assert shared_cache(tmp_path) == tmp_path / ".cache"


def test_a_name_is_taken_once(tmp_path: Path):
    first = create_run(tmp_path, "frog", "one")
    with pytest.raises(UserError, match="a run named frog") as caught:
        create_run(tmp_path, "frog", "two")
    assert caught.value.code is ExitCode.CONFIG
    assert first.run_toml.read_text() == "one"


@pytest.mark.parametrize("name", ["", ".", "..", ".cache", "-x", "a/b", "a b", "ä", "x" * 65, "a\n", "$HOME"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str):
    assert not is_run_name(name)
    with pytest.raises(UserError) as caught:
        create_run(tmp_path, name, "")
    assert caught.value.code is ExitCode.CONFIG
    assert list(tmp_path.iterdir()) == []


def test_numbers_go_on_and_are_never_used_again(tmp_path: Path):
    names = [create_numbered_run(tmp_path, "sls-frog", "").name for _ in range(3)]
    assert names == ["sls-frog-1", "sls-frog-2", "sls-frog-3"]
    (tmp_path / "sls-frog-2" / "run.toml").unlink()
    (tmp_path / "sls-frog-2").rmdir()
    assert next_free_name(tmp_path, "sls-frog") == "sls-frog-4"


def test_two_starters_at_once_get_two_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real, calls = next_free_name, []

    def slow(runs_dir: Path, stem: str) -> str:
        name = real(runs_dir, stem)
        if not calls:
            calls.append(name)
            create_run(runs_dir, name, "the other one's")
        return name

    monkeypatch.setattr(directory, "next_free_name", slow)
    assert create_numbered_run(tmp_path, "frog", "mine").name == "frog-2"
    assert (tmp_path / "frog-1" / "run.toml").read_text() == "the other one's"


@pytest.mark.parametrize(
    ("parts", "stem"),
    [
        (("sls", "frog"), "sls-frog"),
        ((None, "red panda"), "red-panda"),
        (("../../etc", "x\x1b[2J"), "etc-x-2J"),
        (("日本",), "run"),
        ((None, ""), "run"),
        (("a" * 100,), "a" * 56),
    ],
)
def test_stems(parts: tuple[str | None, ...], stem: str):
    assert stem_of(*parts) == stem
    assert is_run_name(f"{stem}-1234567")


def test_a_file_in_the_place_of_the_runs_folder(tmp_path: Path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="is not a folder") as caught:
        create_run(tmp_path / "runs", "frog", "")
    assert caught.value.code is ExitCode.DISK


def test_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="--runs-dir") as caught:
        create_numbered_run(Path("/proc/sys"), "frog", "")
    assert caught.value.code is ExitCode.DISK


def test_a_full_disk_leaves_no_half_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(directory, "write_text", full)
    with pytest.raises(UserError, match="is full") as caught:
        create_run(tmp_path, "frog", "schema = 1\n")
    assert caught.value.code is ExitCode.DISK
    assert list(tmp_path.iterdir()) == []
