"""Saving beside the training, and what becomes of a run whose disk takes nothing."""

import errno
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.checkpoints import newest_valid, step_of
from trainer_core.run.control import Command
from trainer_core.run.directory import RunDirectory
from trainer_core.train import state_saver, tensor_file
from trainer_core.train.checkpoint import load_checkpoint
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.resume import restore
from trainer_core.train.session import Session

FEW = {"max_steps": 20, "workers": 1}


@pytest.fixture
def outputs(make_job, run_job, recorder, tmp_path):
    """What writes the files of a training of one step so far."""
    job = make_job(train=FEW, method={"train": "lora"}, network={"rank": 2})
    run_job(job, 1)
    return Outputs(job, RunDirectory(tmp_path / "run"), recorder)


@pytest.fixture
def full(monkeypatch):
    """Let every write of a tensor fail as a full disk does while its `is_set`."""
    switch, write = threading.Event(), tensor_file.write_tensors

    def fails(path, tensors):
        if switch.is_set():
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, tensors)

    monkeypatch.setattr("trainer_core.train.checkpoint.write_tensors", fails)
    return switch


def weights(job):
    return {name: parameter.detach().clone() for name, parameter in job.parameters.items()}


def told(outputs, kind):
    return [event for event in outputs.events.events if event["kind"] == kind]


def names(outputs):
    return sorted(path.name for path in outputs.run.checkpoints.iterdir())


def session_of(job, run, recorder):
    halt = SimpleNamespace(commands=list, is_asked=lambda: False, reason=None)
    return Session(job, Outputs(job, run, recorder), recorder, halt, None)


def train_two_steps(session):
    job = session.job
    stop_at = job.step + 2
    train(job, session.report, lambda: session.between_steps() and job.step < stop_at)


def save_and_wait(outputs):
    outputs.save_state()
    outputs.states.look(wait=True)


@pytest.mark.parametrize("memory", ["enough", "none"])
def test_a_state_is_that_of_its_step_though_the_training_goes_on(memory, outputs, run_job, monkeypatch):
    job, may_write, write = outputs.job, threading.Event(), state_saver.write_checkpoint
    if memory == "none":
        monkeypatch.setattr(state_saver, "free_main_memory", lambda: 0)
        may_write.set()

    def waits(*arguments):
        assert may_write.wait(60)
        return write(*arguments)

    monkeypatch.setattr(state_saver, "write_checkpoint", waits)
    before, state = weights(job), [dict(each) for each in job.optimizer.state()]
    moments = [value.clone() for each in state for value in each.values() if isinstance(value, torch.Tensor)]
    outputs.save_state()
    assert outputs.has_state()
    run_job(job, 2)
    assert not outputs.has_state()
    if memory == "enough":
        outputs.states.look()
        assert told(outputs, "checkpoint") == []  # it is not there yet, and nobody waits for it
        may_write.set()
    outputs.states.look(wait=True)
    (event,) = told(outputs, "checkpoint")
    assert (event["step"], event["seconds"] > 0, event["bytes"] > 0) == (1, True, True)
    path, problems = newest_valid(outputs.run.checkpoints)
    assert (problems, step_of(path)) == ([], 1)
    found = load_checkpoint(path, torch.device("cpu"))
    assert all(torch.equal(found.weights[name], weight) for name, weight in before.items())
    kept = [value for each in found.optimizer for value in each.values() if isinstance(value, torch.Tensor)]
    assert len(kept) == len(moments) > 0
    assert all(sum(torch.equal(value, each) for each in moments) for value in kept)
    assert any(not torch.equal(weight, before[name]) for name, weight in weights(job).items())


def test_the_last_state_waits_for_the_one_under_way_and_is_not_written_twice(outputs, run_job):
    outputs.save_state()
    outputs.save_last_state()  # of the same step
    run_job(outputs.job, 1)
    outputs.save_state()
    run_job(outputs.job, 1)
    outputs.save_last_state()
    outputs.save_last_state()
    assert [event["step"] for event in told(outputs, "checkpoint")] == [1, 2, 3]
    assert newest_valid(outputs.run.checkpoints)[0].name == "000003"


def test_what_was_done_in_all_goes_on_after_a_resume(make_job, recorder, tmp_path):
    run, seen = RunDirectory(tmp_path / "run"), []
    for part in range(3):
        job = make_job(train={**FEW, "max_steps": 6}, method={"train": "lora"}, network={"rank": 2})
        session = session_of(job, run, recorder)
        if part:
            restore(job, newest_valid(run.checkpoints)[0])
        session.begin()
        train_two_steps(session)
        session.outputs.save_last_state()
        seen.append(job.totals)
    images = [sum(len(micro.items) for micro in job.samples.order.step(step)) for step in range(6)]
    assert [each.images for each in seen] == [sum(images[:2]), sum(images[:4]), sum(images)]
    assert [each.resumes for each in seen] == [0, 1, 2]
    assert 0 < seen[0].seconds < seen[1].seconds < seen[2].seconds
    assert [event["totals"]["resumes"] for event in recorder.events if event["kind"] == "checkpoint"] == [0, 1, 2]


def test_it_is_due_after_its_minutes_and_never_where_it_is_off(outputs, monkeypatch):
    states, now = outputs.states, outputs.states.since
    monkeypatch.setattr("time.monotonic", lambda: now + 599.0)
    assert not states.is_due()
    monkeypatch.setattr("time.monotonic", lambda: now + 601.0)
    assert states.is_due()
    config = states.job.config
    states.job.config = config.model_copy(
        update={"save": config.save.model_copy(update={"state_every_minutes": 0.0})}
    )
    assert not states.is_due()


@pytest.mark.row(12)
def test_three_failures_in_a_row_end_it_and_fewer_do_not(outputs, run_job, full):
    save_and_wait(outputs)
    for failures in (2, 0, 3):
        full.set()
        for _ in range(min(failures, 2)):
            run_job(outputs.job, 1)
            save_and_wait(outputs)
            assert names(outputs)[-1] != f"{outputs.job.step:06d}"
            assert not any(name.startswith(".") for name in names(outputs))
        if failures < 3:
            full.clear()
            run_job(outputs.job, 1)
            save_and_wait(outputs)
    warnings = told(outputs, "warning")
    assert [event["code"] for event in warnings] == ["state_not_saved"] * 4
    assert "No space left on device" in warnings[0]["text"]
    assert "the state of step 1 stands, so the training goes on (1 of 3 failures in a row)" in warnings[0]["text"]
    run_job(outputs.job, 1)
    with pytest.raises(UserError, match=r"goes on from step \d+, once there is room") as caught:
        save_and_wait(outputs)
    assert caught.value.code is ExitCode.DISK
    kept = [int(name) for name in names(outputs)]
    assert len(kept) == 2


@pytest.mark.row(12)
def test_without_an_earlier_state_the_first_failure_ends_it(outputs, full):
    full.set()
    with pytest.raises(UserError, match="no earlier state stands") as caught:
        save_and_wait(outputs)
    assert caught.value.code is ExitCode.DISK
    assert names(outputs) == []
    full.clear()
    outputs.save_last_state()  # what the trainer tries once more before it ends
    assert names(outputs) == ["000001"]


def test_an_earlier_state_that_somebody_removed_is_none(outputs, run_job, full):
    save_and_wait(outputs)
    shutil.rmtree(outputs.run.checkpoints / "000001")
    run_job(outputs.job, 1)
    full.set()
    with pytest.raises(UserError, match="no earlier state stands"):
        save_and_wait(outputs)


def test_a_stop_that_cannot_save_says_what_a_resume_begins_with(outputs, run_job, full):
    outputs.save_last_state()
    run_job(outputs.job, 1)
    full.set()
    with pytest.raises(
        UserError, match=r"000002 cannot be written.*\n`dbtui resume` goes on from step 1"
    ) as caught:
        outputs.save_last_state()
    assert caught.value.code is ExitCode.DISK


def test_a_state_that_reads_back_otherwise_is_no_state(outputs, run_job, monkeypatch):
    save_and_wait(outputs)
    run_job(outputs.job, 1)
    write = state_saver.write_checkpoint

    def spoils(folder: Path, checkpoint):
        path, size = write(folder, checkpoint)
        spoiled.pop()(path)
        return path, size

    monkeypatch.setattr(state_saver, "write_checkpoint", spoils)
    spoiled = [
        lambda path: (path / "manifest.json").write_bytes(b"{"),
        lambda path: (path / "optimizer.safetensors").write_bytes(bytes(100)),
    ]
    for number in (1, 2):
        save_and_wait(outputs)
        assert len(told(outputs, "warning")) == number
        assert "000002 reads back otherwise than it was written" in told(outputs, "warning")[-1]["text"]
        assert names(outputs) == ["000001"]


@pytest.mark.row(12)
def test_a_model_that_cannot_be_written_is_a_warning_while_a_state_stands(outputs, run_job, monkeypatch):
    monkeypatch.setattr("trainer_core.models.save.why_no_room", lambda *_: "not enough room")
    for failures in range(1, 3):  # the first also saves a state, for none stands
        assert outputs.save_model_on_the_way(f"m{failures}") == []
        run_job(outputs.job, 1)
    assert [event["code"] for event in told(outputs, "warning")] == ["model_not_saved"] * 2
    assert names(outputs) == ["000001"]
    with pytest.raises(UserError, match="not enough room") as caught:
        outputs.save_model_on_the_way("m3")
    assert caught.value.code is ExitCode.DISK
    assert not outputs.run.output.exists() or list(outputs.run.output.iterdir()) == []


def test_a_final_model_that_cannot_be_written_leaves_the_state(outputs, monkeypatch):
    monkeypatch.setattr("trainer_core.models.save.why_no_room", lambda *_: "not enough room")
    with pytest.raises(UserError, match=r"not enough room[^\n]*\n`dbtui resume` goes on from step 1") as caught:
        outputs.save_final_model("frog")
    assert caught.value.code is ExitCode.DISK
    assert names(outputs) == ["000001"]


def test_a_model_that_was_asked_for_and_cannot_be_written_is_answered(outputs, monkeypatch):
    monkeypatch.setattr("trainer_core.models.save.why_no_room", lambda *_: "not enough room")
    waiting = [Command("a", "save")]
    halt = SimpleNamespace(
        commands=lambda: [waiting.pop()] if waiting else [], is_asked=lambda: False, reason=None
    )
    session = Session(outputs.job, outputs, outputs.events, halt, None)
    assert session.between_steps()
    (answer,) = told(outputs, "control_ack")
    assert (answer["ok"], "not enough room" in answer["text"]) == (False, True)
