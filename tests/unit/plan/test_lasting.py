"""A plan says what a container would take with it; the run's warning is the same note."""

from pathlib import Path

import pytest

from trainer_core.run import mounts


@pytest.fixture
def in_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("22 1 0:20 / / rw - overlay overlay rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", mountinfo)


@pytest.mark.usefixtures("in_container")
def test_a_run_in_a_containers_layer_is_remarked_on_once(plan, tmp_path: Path):
    notes = plan(save={"output_dir": str(tmp_path / "models")}).notes
    (note,) = [note for note in notes if "lost with the container" in note]
    assert f"{tmp_path}/runs and {tmp_path}/models are in" in note
    assert "--runs-dir and save.output_dir" in note


def test_a_run_on_a_disk_is_not(plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", mountinfo)
    assert not [note for note in plan().notes if "which is lost" in note]
