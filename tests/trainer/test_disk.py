"""A full disk, on a small file system of its own: the old files stay, the message names the place."""

import os
import subprocess
from contextlib import suppress

import pytest

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.train.checkpoint import checkpoints, save_checkpoint
from trainer_core.train.outputs import Outputs
from trainer_core.train.resume import checkpoint_of


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 80 MB: one checkpoint of the tiny model (58 MB) fits, two do not."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.row(12)
def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(small_disk, make_job, run_job):
    job = make_job(train={"max_steps": 4, "workers": 1})
    run_job(job, 1)
    save_checkpoint(small_disk / "checkpoints", checkpoint_of(job))
    run_job(job, 1)
    with pytest.raises(UserError, match=r"checkpoints/000002 cannot be written") as caught:
        save_checkpoint(small_disk / "checkpoints", checkpoint_of(job))
    assert caught.value.code is ExitCode.DISK
    assert [path.name for path in checkpoints(small_disk / "checkpoints")] == ["000001"]
    assert [path.name for path in (small_disk / "checkpoints").iterdir()] == ["000001"]


def fill(folder):
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as file:
        while file.write(b"x" * 65536):
            pass


@pytest.mark.row(12)
def test_models_and_previews_on_a_full_disk(small_disk, make_job, recorder):
    fill(small_disk)
    job = make_job(sample={"prompts": [{"prompt": "frog", "steps": 1}]})
    outputs = Outputs(job, RunDirectory(small_disk / "run"), recorder)
    assert outputs.draw_previews() == 0
    assert [event["code"] for event in recorder.events if event["kind"] == "warning"] == ["preview_not_written"]
    with pytest.raises(UserError) as caught:
        outputs.save_model("model")
    assert caught.value.code is ExitCode.DISK
