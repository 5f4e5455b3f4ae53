"""Removing a run: only its own folder goes, and only while nobody trains it."""

from pathlib import Path

import pytest

from dbtui.runs.delete import delete_run, refuse_outside, size_of
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lock import acquire


@pytest.fixture
def made(tmp_path: Path) -> RunDirectory:
    run = create_run(tmp_path / "runs", "frog-1", "schema = 1\n")
    run.output.mkdir()
    (run.output / "model.safetensors").write_bytes(b"x" * 1000)
    return run


def test_it_is_gone_and_nothing_else(made, tmp_path):
    another = create_run(tmp_path / "runs", "frog-2", "schema = 1\n")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(b"x")
    (made.path / "linked").symlink_to(pictures)
    assert 1000 < size_of(made) < 1200
    delete_run(made, tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [another.name]
    assert (pictures / "0.png").exists()


def test_a_live_run_is_left_alone(made, tmp_path):
    lock = acquire(made)
    try:
        with pytest.raises(UserError, match="is being trained") as refused:
            delete_run(made, tmp_path / "runs")
    finally:
        lock.release()
    assert refused.value.code is ExitCode.LOCKED
    assert (made.output / "model.safetensors").exists()


def test_a_link_is_not_followed(made, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = made.path.rename(tmp_path / "elsewhere" / "frog-1")
    made.path.symlink_to(moved)
    with pytest.raises(UserError, match="is a link to"):
        delete_run(made, tmp_path / "runs")
    assert (moved / "output" / "model.safetensors").exists()


def test_only_inside_the_folder_of_runs(made, tmp_path):
    with pytest.raises(UserError, match="is left alone"):
        delete_run(made, tmp_path)
    with pytest.raises(UserError, match="is left alone"):
        refuse_outside(RunDirectory(tmp_path / "runs" / ".." / "runs" / "frog-1"), tmp_path / "runs")
    assert made.output.exists()


def test_what_a_crash_left_of_an_earlier_one_is_in_nobodys_way(made, tmp_path):
    (tmp_path / "runs" / ".deleting-frog-1" / "output").mkdir(parents=True)
    delete_run(made, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
