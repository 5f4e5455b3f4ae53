"""Pictures and settings that change while a run trains, or between two parts of it, as real processes."""

import shutil
import signal
import tomllib

import pytest

from tests.faults.evidence import console, ended_well_told, events, losses, same_weights, valid, wait_for_step
from trainer_core.config.reader import read_config
from trainer_core.errors import ExitCode
from trainer_core.plan import make_plan

SLOW_STEPS = """
import time
import trainer_core.train.session as session
between_steps = session.Session.between_steps
def slowly(self):
    time.sleep(0.1)
    return between_steps(self)
session.Session.between_steps = slowly
"""
FAILING_READER = """
import trainer_core.data.pixels as pixels
load_picture, calls = pixels.load_picture, []
def fail_later(path):
    calls.append(path)
    if len(calls) > 6:
        raise RuntimeError("the decoder broke")
    return load_picture(path)
pixels.load_picture = fail_later
"""


@pytest.fixture
def uncached(run_file, make_run, tmp_path):
    """A run that reads eleven pictures of its own, one at each step, and the one whose turn comes late."""
    folder = tmp_path / "train" / "1_sls frog"
    folder.mkdir(parents=True)
    for number in range(11):
        shutil.copy(next((run_file.parent / "train").rglob("*.png")), folder / f"{number:02d}.png")
    settings = (f"dataset.train_dir={folder.parent}", 'dataset.cache_latents="off"', "train.max_steps=22")
    run = make_run(tmp_path / "runs", *settings)
    plan = make_plan(read_config(run.run_toml), run.path.parent)
    turns = [plan.items[plan.order.step(step)[0].items[0]] for step in range(22)]
    return run, [item.picture.path for item in turns if not item.is_class][-1]


@pytest.mark.row(32)
def test_a_picture_that_disappears_is_left_out_and_told_at_the_next_resume(uncached, start):
    run, late = uncached
    trainer = start(run, before=SLOW_STEPS)
    wait_for_step(run, 2)
    late.unlink()
    assert trainer.wait() == 0, console(run)
    (warning,) = [each for each in events(run, "warning") if each["code"] == "picture_lost"]
    assert late.name in warning["text"]
    assert sorted(losses(run)) == list(range(1, 23))
    told = len(events(run))
    refused = start(run, "--set", "train.max_steps=24")
    assert f"1 gone ({late.name})" in ended_well_told(run, refused.wait(), ExitCode.RESUME)
    assert not [each for each in events(run)[told:] if "U-Net" in each.get("text", "")], "it loaded a model before"


@pytest.mark.faults
@pytest.mark.row(32)
def test_too_many_that_disappear_end_it_with_its_state_saved(uncached, start):
    run, late = uncached
    folder = late.parent
    trainer = start(run, before=SLOW_STEPS)
    wait_for_step(run, 2)
    folder.rename(folder.with_name("away"))
    text = ended_well_told(run, trainer.wait(), ExitCode.DATASET)
    assert "2 pictures" in text
    assert valid(run)
    folder.with_name("away").rename(folder)
    assert start(run).wait() == 0, console(run)


@pytest.mark.faults
@pytest.mark.row(11)
def test_what_breaks_in_a_thread_that_reads_pictures_is_told_and_the_state_saved(uncached, start):
    run, _ = uncached
    assert start(run, before=FAILING_READER).wait() == ExitCode.FAILED
    assert "the decoder broke" in events(run, "failed")[-1]["text"]
    done = valid(run)[-1].name
    assert start(run).wait() == 0, console(run)
    assert events(run, "resumed")[-1]["from_step"] == int(done) > 0


@pytest.fixture
def half_done(run_file, make_run, tmp_path, start):
    """A run of 12 steps that was stopped after some, and the folder of its pictures."""
    shutil.copytree(run_file.parent / "train", tmp_path / "train")
    run = make_run(tmp_path / "runs", f"dataset.train_dir={tmp_path / 'train'}")
    trainer = start(run, before=SLOW_STEPS)
    wait_for_step(run, 5)
    trainer.send(signal.SIGTERM)
    assert trainer.wait() == ExitCode.STOPPED
    return run, tmp_path / "train" / "2_sls frog"


@pytest.mark.faults
@pytest.mark.row(31)
def test_a_picture_of_the_same_name_and_size_is_noticed_and_may_be_allowed(half_done, start, whole, dbtui):
    run, folder = half_done
    first, second = sorted(folder.glob("*.png"))
    shutil.copy(first, second)
    assert f"1 of other content ({second.name})" in ended_well_told(run, start(run).wait(), ExitCode.RESUME)
    done = dbtui("resume", run.path, "--allow-changed")
    assert done.returncode == 0, done.stderr
    assert f"pictures: 1 of other content ({second.name})" in done.stderr
    assert "of other content" in events(run, "resumed")[-1]["changed"]["pictures"][1]
    assert not same_weights(run, whole)


@pytest.mark.row(30)
def test_settings_are_changed_shown_and_written_down(half_done, start, whole, dbtui):
    run, _ = half_done
    refused = dbtui("resume", run.path, "--set", "optimizer.learning_rate=2e-4", "--set", "train.max_steps=13")
    assert refused.returncode == ExitCode.RESUME
    for words in ("optimizer.learning_rate: 0.0001 -> 0.0002", "train.max_steps: 12 -> 13", "--allow-changed"):
        assert words in refused.stderr
    assert run.configuration == run.run_toml
    trainer = start(run, "--set", "train.max_steps=10", "--set", "save.every_n_steps=6")
    assert trainer.wait() == 0, console(run)
    changed = events(run, "resumed")[-1]
    assert changed["changed"] == {"train.max_steps": [12, 10], "save.every_n_steps": [4, 6]}
    assert changed["run_file"] == "run.2.toml" == run.configuration.name
    assert tomllib.loads(run.configuration.read_text())["train"]["max_steps"] == 10
    again = dbtui("resume", run.path)
    assert again.returncode == ExitCode.RESUME
    assert "--set train.max_steps=N" in again.stderr
    assert start(run, "--set", "train.max_steps=12").wait() == 0, console(run)
    assert run.configuration.name == "run.3.toml"
    assert same_weights(run, whole)
    assert losses(run) == losses(whole)
