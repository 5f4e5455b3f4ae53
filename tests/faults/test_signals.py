"""Signals to a real trainer: in a step, in a save, twice, while old checkpoints go; and an hour without a turn."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import SLOWLY
from tests.faults.evidence import (
    console,
    content,
    ended_well_told,
    events,
    losses,
    same_weights,
    strays,
    valid,
    wait_for_step,
    wait_until,
)
from trainer_core.errors import ExitCode
from trainer_core.run.checkpoints import checkpoints
from trainer_core.run.lock import is_alive

SLOW_DISK = """
import os, time
at_once = os.fsync
def fsync(descriptor):
    time.sleep(0.4)
    at_once(descriptor)
os.fsync = fsync
"""
DIES_AT_REMOVAL = """
import os, signal
remove, removed = os.unlink, 0
def unlink(path, *, dir_fd=None):
    global removed
    folder = os.readlink(f"/proc/self/fd/{{dir_fd}}") if dir_fd is not None else ""
    remove(path, dir_fd=dir_fd)
    if os.path.join(folder, path).startswith({folder!r}):
        removed += 1
        if removed == {count}:
            os.kill(os.getpid(), signal.SIGKILL)
os.unlink = os.remove = unlink
"""
LONG = pytest.mark.faults


def goes_on_to_the_same_weights(start, run, whole):
    assert start(run).wait() == 0, console(run)
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)
    assert not strays(run)


@pytest.mark.row(3)
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(each, marks=LONG) for each in (signal.SIGINT, signal.SIGHUP))]
)
def test_a_signal_in_the_middle_of_a_step(run, start, whole, number):
    trainer = start(run, before=SLOWLY)
    wait_for_step(run, 5)
    begin = time.monotonic()
    trainer.send(number)
    status = trainer.wait()
    assert time.monotonic() - begin < 15
    assert number.name in ended_well_told(run, status, ExitCode.STOPPED)
    assert valid(run)[-1].name == f"{max(losses(run)):06}"
    goes_on_to_the_same_weights(start, run, whole)


@pytest.mark.row(4)
def test_a_signal_during_a_save(run, start):
    trainer = start(run, before=SLOW_DISK)
    wait_until(lambda: list(run.checkpoints.glob(".tmp-*")), f"a state is being saved: {console(run)}")
    trainer.send(signal.SIGTERM)
    ended_well_told(run, trainer.wait(), ExitCode.STOPPED)
    saved = [event["step"] for event in events(run, "checkpoint")]
    assert len(saved) == len(set(saved)), "each step's state is written once"
    assert valid(run)[-1].name == f"{saved[-1]:06}"
    assert not strays(run)


@pytest.mark.row(5)
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=LONG)])
def test_a_second_signal_in_a_save(make_run, tmp_path, start, whole, number):
    run = make_run(tmp_path / "runs", "save.every_n_steps=2")
    first = start(run, before=SLOWLY)
    wait_for_step(run, 3)
    first.send(signal.SIGTERM)
    assert first.wait() == ExitCode.STOPPED
    (kept,) = valid(run)[-1:]
    before = content(kept)
    trainer = start(run, before=SLOW_DISK)
    wait_until(lambda: list(run.checkpoints.glob(".tmp-*")), f"a state is being saved: {console(run)}")
    trainer.send(number)
    time.sleep(0.1)
    begin = time.monotonic()
    trainer.send(number)
    assert trainer.wait() == ExitCode.STOPPED
    assert time.monotonic() - begin < 5
    assert content(kept) == before
    assert valid(run) == checkpoints(run.checkpoints), "nothing half is visible"
    goes_on_to_the_same_weights(start, run, whole)


@pytest.mark.row(7)
@pytest.mark.parametrize("count", [1, *(pytest.param(each, marks=LONG) for each in (2, 3, 4, 5))])
def test_a_kill_while_old_checkpoints_are_removed(make_run, tmp_path, start, whole, count):
    run = make_run(tmp_path / "runs", "save.every_n_steps=1")
    trainer = start(run, before=DIES_AT_REMOVAL.format(folder=str(run.checkpoints), count=count))
    assert trainer.wait() == -signal.SIGKILL, console(run)
    assert len(valid(run)) >= 2
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)
    assert len(valid(run)) >= 2
    assert valid(run) == checkpoints(run.checkpoints), "what was half removed is gone"


@pytest.mark.row(10)
def test_a_trainer_without_a_turn_for_a_while(run, start, dbtui, whole):
    trainer = start(run, before=SLOWLY)
    wait_for_step(run, 2)
    trainer.send(signal.SIGSTOP)
    assert is_alive(run)
    assert "stalled" in dbtui("runs", "--runs-dir", run.path.parent, "--json").stdout
    trainer.send(signal.SIGCONT)
    assert trainer.wait() == 0
    assert same_weights(run, whole)


@pytest.mark.row(11)
def test_pictures_are_read_by_threads_of_the_trainer(run, start):
    """There is no helper that could be killed alone."""
    trainer = start(run, before=SLOWLY)
    wait_for_step(run, 3)
    tasks = Path(f"/proc/{trainer.pid}/task")
    children = [task.joinpath("children").read_text() for task in tasks.iterdir()]
    assert not any(children)
    trainer.kill()


@pytest.mark.row(11)
def test_the_reader_of_a_pickled_model_is_killed(make_run, tmp_path, start, run_file):
    import torch
    from safetensors.torch import load_file

    pickled = tmp_path / "pickled.ckpt"
    torch.save({"state_dict": load_file(run_file.with_name("tiny.safetensors"))}, pickled)
    hangs = "import sys; from trainer_core.models import ckpt; "
    hangs += "ckpt.self_command = lambda: [sys.executable, '-c', 'import time; time.sleep(600)']"
    run = make_run(tmp_path / "runs", f"model.base={pickled}")
    trainer = start(run, before=hangs)
    (reader,) = wait_until(lambda: children_of(trainer.pid, "pickled.ckpt"), f"the reader runs: {console(run)}")
    os.kill(reader, signal.SIGKILL)
    assert "pickled.ckpt" in ended_well_told(run, trainer.wait(), ExitCode.MODEL)


def children_of(pid: int, named: str) -> list[int]:
    """Return the child processes of every thread of a process whose command names something."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in task.joinpath("children").read_text().split():
            with suppress(OSError):
                if named in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(int(child))
    return found
