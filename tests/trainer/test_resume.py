"""N steps equal k steps, a stop, and a resume: bit for bit, for every optimizer and precision."""

import json
import os
import shutil

import pytest
import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.train.checkpoint import checkpoints, newest_valid, save_checkpoint
from trainer_core.train.resume import checkpoint_of, restore

STEPS = 8
VARIANTS = {
    "adamw": {"optimizer": {"type": "adamw"}},
    "adamw8bit": {"optimizer": {"type": "adamw8bit"}},
    "full_bf16": {"memory": {"mixed_precision": "bf16", "full_bf16": True}},
    "full_bf16-8bit": {
        "memory": {"mixed_precision": "bf16", "full_bf16": True},
        "optimizer": {"type": "adamw8bit"},
    },
    "prodigy": {"optimizer": {"type": "prodigy", "learning_rate": 1.0}},
    "schedule-free": {"optimizer": {"type": "adamw_schedulefree"}, "scheduler": {"type": "constant"}},
    "full_bf16-lion8bit-ema": {
        "memory": {"mixed_precision": "bf16", "full_bf16": True},
        "optimizer": {"type": "lion8bit", "learning_rate": 1e-5},
        "ema": {"enable": True},
    },
    "accumulation": {"train": {"gradient_accumulation": 3, "max_steps": STEPS, "workers": 1}},
}


def weights(job):
    return {name: parameter.detach().clone() for name, parameter in job.parameters.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_resumed_training_is_bit_for_bit_the_uninterrupted_one(name, make_job, run_job, tmp_path):
    tables = {"train": {"max_steps": STEPS, "workers": 1}, "scheduler": {"type": "cosine"}, **VARIANTS[name]}
    whole = make_job(**tables)
    expected = [report.loss for report in run_job(whole)]
    seen = []
    for part in (3, 2, 3):  # twice in a row, in the middle of an epoch
        job = make_job(**tables)
        if found := newest_valid(tmp_path)[0]:
            assert restore(job, found) == {}
        seen += [report.loss for report in run_job(job, part)]
        save_checkpoint(tmp_path, checkpoint_of(job))
    assert seen == expected
    assert same(weights(whole), weights(job))
    with whole.kept_weights(), job.kept_weights():
        assert same(weights(whole), weights(job))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture
def two_checkpoints(make_job, run_job, tmp_path):
    job = make_job(train={"max_steps": 4, "workers": 1})
    for _ in range(2):
        run_job(job, 1)
        save_checkpoint(tmp_path / "checkpoints", checkpoint_of(job))
    return tmp_path / "checkpoints"


@pytest.mark.row(25, 26)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "no manifest", "stray"])
def test_a_damaged_checkpoint_is_passed_over(damage, two_checkpoints):
    newest = two_checkpoints / "000002"
    file = newest / "weights.safetensors"
    match damage:
        case "truncated":
            file.write_bytes(file.read_bytes()[:-100])
        case "flipped":
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
        case "missing":
            file.unlink()
        case "no manifest":
            (newest / "manifest.json").unlink()
        case "stray":
            newest.rename(two_checkpoints / ".tmp-000002-abc")
    found, passed_over = newest_valid(two_checkpoints)
    assert found.name == "000001"
    assert [("000002 is damaged" in reason) for reason in passed_over] == [True] * (damage != "stray")


@pytest.mark.row(33)
def test_the_two_newest_are_kept_by_step_and_not_by_time(two_checkpoints, make_job, run_job):
    job = make_job(train={"max_steps": 4, "workers": 1})
    run_job(job, 3)
    save_checkpoint(two_checkpoints, checkpoint_of(job))
    assert [path.name for path in checkpoints(two_checkpoints)] == ["000002", "000003"]
    shutil.copytree(two_checkpoints / "000002", two_checkpoints / "000010")
    assert [path.name for path in checkpoints(two_checkpoints)] == ["000002", "000003", "000010"]


@pytest.mark.row(31)
def test_another_dataset_is_refused_with_the_difference(two_checkpoints, make_job):
    job = make_job(train={"max_steps": 4, "workers": 1}, reg=False)
    with pytest.raises(UserError, match=r"gone or changed since: 100.png, 101.png, 102.png") as caught:
        restore(job, checkpoints(two_checkpoints)[-1])
    assert caught.value.code is ExitCode.RESUME


@pytest.mark.row(30)
def test_what_decides_the_learning_may_not_change_and_the_rest_may(two_checkpoints, make_job):
    path = checkpoints(two_checkpoints)[-1]
    other = make_job(
        train={"max_steps": 4, "workers": 1}, optimizer={"learning_rate": 2e-4}, prior={"weight": 0.5}
    )
    with pytest.raises(UserError) as caught:
        restore(other, path)
    assert len(caught.value.problems) == 2
    assert (
        "optimizer.learning_rate was 0.0001 and is 0.0002" in caught.value.problems[0] + caught.value.problems[1]
    )
    longer = make_job(train={"max_steps": 9, "workers": 2}, save={"every_n_steps": 3})
    changed = {"train.max_steps": [4, 9], "train.workers": [1, 2], "save.every_n_steps": [None, 3]}
    assert restore(longer, path) == changed
    assert longer.step == 2


def test_names_that_are_not_utf8_can_be_saved(make_job, run_job, pictures, tmp_path):
    folder = tmp_path / "odd" / "1_sls frog"
    folder.mkdir(parents=True)
    source = next((pictures / "train" / "2_sls frog").iterdir())
    shutil.copy(source, folder / os.fsdecode(b"b\xff.png"))
    job = make_job(reg=False, dataset={"train_dir": str(folder.parent)}, train={"max_steps": 2, "workers": 1})
    run_job(job, 1)
    saved, _ = save_checkpoint(tmp_path / "checkpoints", checkpoint_of(job))
    restore(job, saved)


@pytest.mark.row(28)
def test_a_checkpoint_of_a_newer_format_is_refused(two_checkpoints, make_job):
    path = two_checkpoints / "000002"
    state = json.loads((path / "state.json").read_text())
    state |= {"format": 99, "version": "9.0"}
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=r"9\.0.*newer") as caught:
        restore(make_job(train={"max_steps": 4, "workers": 1}), path)
    assert caught.value.code is ExitCode.RESUME
