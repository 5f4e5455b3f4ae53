"""Damage and change between two parts of a run: what is whole is found, what differs is told and never silent."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import SLOWLY
from tests.faults.evidence import (
    console,
    content,
    ended_well_told,
    events,
    losses,
    rewrite_manifest,
    same_weights,
    strays,
    valid,
    wait_for,
    wait_for_step,
    well_told,
)
from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory

LONG = pytest.mark.faults
CLOCK = """
import time
now = time.time
time.time = lambda: now() + ({jump})
"""


@pytest.fixture(scope="module")
def half_way(server, make_run, tmp_path_factory):
    """A run that was stopped after its step 8, with two checkpoints."""
    run = make_run(tmp_path_factory.mktemp("half"))
    trainer = server.start(run, before=SLOWLY)
    wait_for_step(run, 9)
    trainer.send(signal.SIGTERM)
    assert trainer.wait() == ExitCode.STOPPED
    for path in valid(run)[:-2]:  # a stop leaves the pruning to the next start
        shutil.rmtree(path)
    assert len(valid(run)) == 2
    return run


@pytest.fixture
def stopped(half_way, tmp_path) -> RunDirectory:
    """A copy of that run."""
    shutil.copytree(half_way.path, tmp_path / "runs" / "frog")
    return RunDirectory(tmp_path / "runs" / "frog")


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def flipped(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-1000, os.SEEK_END)
        byte = opened.read(1)[0]
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte ^ 1]))


def removed(file: Path) -> None:
    file.unlink()


DAMAGE = [
    pytest.param(cut, "weights.safetensors", marks=pytest.mark.row(25)),
    pytest.param(emptied, "optimizer.safetensors", marks=[pytest.mark.row(25), LONG]),
    pytest.param(emptied, "state.json", marks=[pytest.mark.row(25), LONG]),
    pytest.param(emptied, "manifest.json", marks=[pytest.mark.row(25), LONG]),
    pytest.param(removed, "optimizer.safetensors", marks=[pytest.mark.row(25), LONG]),
    pytest.param(flipped, "weights.safetensors", marks=[pytest.mark.row(26), LONG]),
    pytest.param(flipped, "optimizer.safetensors", marks=pytest.mark.row(26)),
    pytest.param(cut, "state.json", marks=[pytest.mark.row(27), LONG]),
]


@pytest.mark.parametrize(("damage", "name"), DAMAGE)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped, start, whole, damage, name):
    older, newest = valid(stopped)
    before = content(older)
    damage(newest / name)
    trainer = start(stopped)
    assert wait_for(stopped, "resumed")["from_step"] == int(older.name)
    (warning,) = [each for each in events(stopped, "warning") if each["code"] == "checkpoint_damaged"]
    assert newest.name in warning["text"]
    assert name.removesuffix(".json") in warning["text"] or "Expecting value" in warning["text"]
    assert not older.exists() or content(older) == before
    assert trainer.wait() == 0, console(stopped)
    assert same_weights(stopped, whole)
    assert losses(stopped) == losses(whole)
    assert not strays(stopped)
    assert "Traceback" not in console(stopped)


@pytest.mark.row(25, 26)
def test_with_every_checkpoint_damaged_nothing_is_started_anew(stopped, start):
    for path in valid(stopped):
        flipped(path / "weights.safetensors")
    text = ended_well_told(stopped, start(stopped).wait(), ExitCode.RESUME)
    assert text.count("is damaged") == 2


@pytest.mark.row(27)
def test_a_seed_that_is_not_the_checkpoints_own(stopped, start):
    """The random numbers follow from seed and step: there is no other random state that could be damaged."""
    newest = valid(stopped)[-1]
    state = json.loads((newest / "state.json").read_text())
    state["facts"]["settings"]["train.seed"] = 4711
    (newest / "state.json").write_text(json.dumps(state))
    rewrite_manifest(newest)
    before = content(stopped.checkpoints)
    assert "train.seed was 4711" in ended_well_told(stopped, start(stopped).wait(), ExitCode.RESUME)
    assert content(stopped.checkpoints) == before


@pytest.mark.row(27)
@pytest.mark.parametrize("text", ["[]", pytest.param("{", marks=LONG), pytest.param('{"format": 1}', marks=LONG)])
def test_a_state_that_says_nothing_is_never_taken_for_one(stopped, start, text):
    newest = valid(stopped)[-1]
    (newest / "state.json").write_text(text)
    rewrite_manifest(newest)
    status = start(stopped).wait()
    if status == 0:
        assert [each["code"] for each in events(stopped, "warning")].count("checkpoint_damaged") == 1
    else:
        ended_well_told(stopped, status, ExitCode.RESUME)
    assert "Traceback" not in console(stopped)


@pytest.mark.row(28)
def test_a_checkpoint_of_a_newer_version(stopped, start):
    newest = valid(stopped)[-1]
    state = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps(state | {"format": 99, "version": "9.1"}))
    rewrite_manifest(newest)
    before = content(stopped.checkpoints)
    text = ended_well_told(stopped, start(stopped).wait(), ExitCode.RESUME)
    assert "upgrade" in text
    assert "9.1" in text
    assert content(stopped.checkpoints) == before


@pytest.mark.row(30)
def test_settings_that_decide_what_is_learned_may_not_change(stopped, start):
    toml = stopped.run_toml.read_text()
    stopped.run_toml.write_text(toml.replace("learning_rate = 0.0001", "learning_rate = 0.0002"))
    assert toml != stopped.run_toml.read_text()
    before = content(stopped.checkpoints)
    text = ended_well_told(stopped, start(stopped).wait(), ExitCode.RESUME)
    assert "optimizer.learning_rate was 0.0001 and is 0.0002" in text
    assert content(stopped.checkpoints) == before
    stopped.run_toml.write_text(toml.replace("every_n_steps = 4", "every_n_steps = 5"))
    assert start(stopped).wait() == 0, console(stopped)
    assert events(stopped, "resumed")[-1]["changed"] == {"save.every_n_steps": [4, 5]}


@pytest.fixture
def own_pictures(run_file, make_run, tmp_path, start):
    """A run with pictures of its own, stopped half way; and their folder."""
    shutil.copytree(run_file.parent / "train", tmp_path / "train")
    run = make_run(tmp_path / "runs", f"dataset.train_dir={tmp_path / 'train'}")
    trainer = start(run, before=SLOWLY)
    wait_for_step(run, 5)
    trainer.send(signal.SIGTERM)
    assert trainer.wait() == ExitCode.STOPPED
    return run, tmp_path / "train" / "2_sls frog"


@pytest.mark.row(31)
def test_other_pictures_are_told_and_refused(own_pictures, start, whole, dbtui):
    run, folder = own_pictures
    before = content(run.checkpoints)
    first, second = sorted(folder.glob("*.png"))
    second.rename(folder / "gone")
    text = ended_well_told(run, start(run).wait(), ExitCode.RESUME)
    assert second.name in text
    (folder / "gone").rename(second)
    shutil.copy(first, folder / "new.png")
    refused = dbtui("resume", run.path)
    assert refused.returncode == ExitCode.RESUME, refused.stderr
    assert "new.png" in well_told(refused.stdout + refused.stderr)
    (folder / "new.png").unlink()
    first.with_suffix(".txt").write_text("sls frog, edited")
    assert first.name in ended_well_told(run, start(run).wait(), ExitCode.RESUME)
    first.with_suffix(".txt").unlink()
    assert content(run.checkpoints) == before
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(33)
@pytest.mark.parametrize("jump", [-3600, pytest.param(10 * 365 * 86400, marks=LONG)])
def test_a_clock_that_was_set_anew(stopped, start, whole, jump):
    """An hour back, or ten years ahead: order is that of the steps, and what remains is reckoned with."""
    older, newest = valid(stopped)
    for folder in (older, *older.iterdir()):
        os.utime(folder, (2**31, 2**31))
    assert start(stopped, before=CLOCK.format(jump=jump)).wait() == 0, console(stopped)
    assert [each["from_step"] for each in events(stopped, "resumed")] == [int(newest.name)]
    assert same_weights(stopped, whole)
    steps = [int(path.name) for path in valid(stopped)]
    assert steps == sorted(steps)
    assert steps[-1] >= int(newest.name)
