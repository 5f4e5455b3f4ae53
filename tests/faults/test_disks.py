"""Disks that are full, limited or read-only, for all of a run or for a part of it, while a real trainer writes."""

import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.conftest import SLOWLY, mount
from tests.faults.evidence import (
    console,
    content,
    ended_well_told,
    events,
    losses,
    same_weights,
    strays,
    valid,
    wait_for,
    wait_until,
    well_told,
)
from trainer_core.errors import ExitCode

LONG = pytest.mark.faults
EVENTS = 1 << 20
"""Room for events and logs."""
OFTEN = ("save.every_n_steps=2",)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill the disk that `folder` lies on but for `leave` bytes; return the file that does it."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return filler


@pytest.fixture
def small(disk, make_run):
    """A run on a disk of its own, with room for what it writes and not much more."""
    folder = disk("300m")
    return make_run(folder, *OFTEN), folder


def failed_saves(run):
    """The warnings about saves."""
    return [each for each in events(run, "warning") if each["code"] not in {"note", "model"}]


@pytest.mark.row(12)
def test_a_full_disk_ends_a_run_after_three_saves_that_failed(small, start, whole):
    run, folder = small
    trainer = start(run, before=SLOWLY)
    wait_for(run, "checkpoint")
    filler = fill(folder, EVENTS)
    kept = valid(run)[-1]
    before = content(kept)
    status = trainer.wait()
    filler.unlink()
    assert status == ExitCode.DISK, console(run)
    assert content(kept) == before
    assert not strays(run)
    assert len(failed_saves(run)) >= 2
    well_told(console(run))
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(12)
def test_a_disk_that_has_room_again(small, start, whole):
    run, folder = small
    trainer = start(run, before=SLOWLY)
    wait_for(run, "checkpoint")
    filler = fill(folder, EVENTS)
    kept = valid(run)[-1]
    before = content(kept)
    wait_until(lambda: failed_saves(run) or trainer.poll() is not None, f"a save fails: {console(run)}")
    assert trainer.poll() is None, "it goes on while an earlier checkpoint stands"
    assert content(kept) == before
    filler.unlink()
    assert trainer.wait() == 0, console(run)
    assert same_weights(run, whole)
    assert not strays(run)


@pytest.mark.row(14)
def test_a_disk_that_is_full_for_the_events_alone(run, start, disk, whole):
    folder = disk("32k")
    run.events.symlink_to(folder / "events.jsonl")
    (folder / "other").write_bytes(bytes(24 << 10))
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)
    assert "Traceback" not in console(run)
    assert console(run).count("No space left") <= 2


@pytest.mark.row(15)
def test_a_limit_on_the_size_of_files(make_run, tmp_path, start, whole):
    run = make_run(tmp_path / "runs", *OFTEN)
    trainer = start(run, before=SLOWLY)
    wait_for(run, "checkpoint")
    resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (10 << 20, 10 << 20))
    kept = valid(run)[-1]
    before = content(kept)
    status = trainer.wait()
    assert status == ExitCode.DISK, console(run)
    assert content(kept) == before
    assert not strays(run)
    assert failed_saves(run)
    well_told(console(run))
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(17)
def test_checkpoints_that_become_read_only(make_run, tmp_path, start, whole):
    run = make_run(tmp_path / "runs", *OFTEN)
    run.checkpoints.mkdir()
    mount("-t", "tmpfs", "-o", "size=300m", "tmpfs", run.checkpoints)
    try:
        trainer = start(run, before=SLOWLY)
        wait_for(run, "checkpoint")
        remount(run.checkpoints, "ro")
        kept = valid(run)[-1]
        before = content(kept)
        assert trainer.wait() == ExitCode.DISK, console(run)
        assert content(kept) == before
        assert failed_saves(run)
        well_told(console(run))
        remount(run.checkpoints, "rw")
        assert start(run).wait() == 0, console(run)
        assert not strays(run)
        assert same_weights(run, whole)
    finally:
        subprocess.run(["umount", "--lazy", str(run.checkpoints)], check=True)


def remount(folder: Path, mode: str) -> None:
    """Remount between two saves: while a file is open for writing the system refuses."""
    for _ in range(500):
        done = subprocess.run(
            ["mount", "-o", f"remount,{mode}", folder], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.02)
    pytest.skip(f"the file system cannot be remounted here: {done.stderr.strip()}")


@pytest.mark.row(18)
def test_the_folder_for_temporary_files_lies_elsewhere_and_is_full(disk, make_run, start, whole):
    temporary = disk("64k")
    fill(temporary)
    run = make_run(disk("300m"), *OFTEN)
    before = f"import os, tempfile; os.environ['TMPDIR'] = {str(temporary)!r}; tempfile.tempdir = None"
    assert start(run, before=before).wait() == 0, console(run)
    assert same_weights(run, whole)
    assert losses(run) == losses(whole)
    assert [path.name for path in temporary.iterdir()] == ["filler"]


@pytest.mark.row(13)
def test_a_trainer_that_finds_too_little_room(make_run, start, disk):
    folder = disk("20m")
    run = make_run(folder)
    text = ended_well_told(run, start(run).wait(), ExitCode.DISK)
    assert "free" in text
    assert "MB" in text
    assert not valid(run)


@pytest.mark.row(16)
def test_a_read_only_folder_for_the_models(make_run, tmp_path, start, disk):
    folder = disk("20m")
    mount("-o", "remount,ro", folder)
    run = make_run(tmp_path / "runs", f"save.output_dir={folder}")
    text = ended_well_told(run, start(run).wait(), ExitCode.DISK)
    assert str(folder) in text
    assert not [each for each in events(run, "phase") if each["name"] == "train"]
    shutil.rmtree(run.path)
