"""`pause`: the process waits with its memory given back, and goes on as if nothing had been."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainer_core.run.control import CommandKind, ControlReader, append_command
from trainer_core.run.directory import RunDirectory
from trainer_core.run.memory import free_main_memory
from trainer_core.train.away import Away, tensors_of
from trainer_core.train.checkpoint import newest_valid
from trainer_core.train.halt import Halt
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.session import Session

from .test_several import (
    FULL,
    PATIENCE,
    events_of,
    last_state,
    new_run,
    process_of,
    same_as,
    started,
    wait_for_step,
)

STEPS = 4
TABLES = {
    "train": {"max_steps": STEPS},
    "ema": {"enable": True},
    "sample": {"prompts": [{"prompt": "frog", "steps": 1}]},
    "text_encoder": {"train": False},
}


class Asked:
    """Stands in for the signals of the process, which a test shares with its runner."""

    stop_requested: str | None = None

    def wait(self, seconds: float) -> None:
        time.sleep(0.01)


@pytest.fixture
def session(make_job, recorder, tmp_path: Path) -> Session:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    job = make_job(reg=False, side=64, events=recorder, **TABLES)
    halt = Halt(ControlReader(run), Asked(), recorder)
    return Session(job, Outputs(job, run, recorder, halt.is_asked), recorder, halt, None)


def weights(job) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in job.parameters.items()}


def go(
    session: Session, at: dict[int, CommandKind] | None = None, paused: Callable[[], None] = lambda: None
) -> None:
    """Train; ask for what `at` says before its step ends; `paused` is called, in a thread, once it is paused."""

    def between_steps() -> bool:
        if kind := (at or {}).get(session.job.step):
            append_command(session.outputs.run, kind)
        return session.between_steps()

    def wait_for_pause() -> None:
        while not any(event.get("name") == "paused" for event in session.events.events):
            time.sleep(0.01)
        paused()

    thread = threading.Thread(target=wait_for_pause, daemon=True)
    thread.start()
    train(session.job, session.report, between_steps)
    session.job.loader.close()


def acks(session: Session) -> list[tuple[str, bool, str]]:
    told = [event for event in session.events.events if event["kind"] == "control_ack"]
    return [(event["command"], event["ok"], event["text"]) for event in told]


def test_a_paused_training_obeys_and_ends_with_the_same_weights(session: Session, make_job, run_job, recorder):
    def ask_for_much() -> None:
        for kind in ("pause", "save", "sample", "unpause"):
            append_command(session.outputs.run, kind)

    go(session, {2: "pause"}, ask_for_much)
    told = acks(session)
    assert [kind for kind, _, _ in told] == ["pause", "pause", "save", "sample", "unpause"]
    assert all(ok for _, ok, _ in told)
    assert told[0][2] == "paused at step 2: it trains on the CPU, so no memory is freed"
    phases = [event["name"] for event in recorder.events if event["kind"] == "phase"]
    assert phases[phases.index("paused") :] == ["paused", "save", "paused", "sample", "paused", "train"]
    assert (session.outputs.run.output / "at-step00000002.safetensors").is_file()
    assert (session.outputs.run.samples / "000002-0.png").is_file()

    whole = make_job(reg=False, side=64, **TABLES)
    run_job(whole)
    kept, expected = weights(session.job), weights(whole)
    assert all(torch.equal(kept[name], value) for name, value in expected.items())
    averages = session.job.average.tensors
    assert all(torch.equal(averages[name], value) for name, value in whole.average.tensors.items())


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_stop_ends_the_pause_and_the_state_is_saved(session: Session, by_signal: bool):
    def stop() -> None:
        if by_signal:
            session.halt.signals.stop_requested = "SIGTERM"
        else:
            append_command(session.outputs.run, "stop")

    go(session, {2: "pause"}, stop)
    assert session.job.step == 2
    assert session.halt.reason == ("asked by SIGTERM" if by_signal else "asked by a command")
    path, damaged = newest_valid(session.outputs.run.checkpoints)
    assert (path.name, damaged) == ("000002", [])


def test_unpause_without_a_pause_is_answered(session: Session):
    go(session, {1: "unpause"})
    assert acks(session) == [("unpause", False, "there is nothing to unpause")]


def test_no_room_in_main_memory_leaves_the_training_where_it_is(session: Session, monkeypatch):
    def no_room(self) -> int:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 42 bytes")

    monkeypatch.setattr(Away, "_leave", no_room)
    go(session, {1: "pause"})
    assert acks(session) == [("pause", False, "main memory has no room for what is on the device; it trains on")]
    assert session.job.step == STEPS


class OneHasNoRoom:
    """A world in which another process always says that it has no room."""

    is_alone = False

    def agree(self, word: int) -> int:
        return 1


def test_where_one_process_has_no_room_all_stay_where_they_are(make_job):
    away = Away(make_job(reg=False, side=64))
    away.job.world = OneHasNoRoom()
    assert away.leave_together() is None
    assert not away.is_away
    assert away.leave() == 0
    assert away.is_away
    assert not away.come_back_together()
    assert away.is_away


@pytest.mark.slow
def test_two_processes_pause_go_on_and_stop_in_a_pause(make_job, run_job, tmp_path: Path):
    longer = {"train": {"max_steps": 100_000, "batch_size": 3}, "save": {"every_n_steps": None}}
    alone = make_job(reg=False, side=128, **{**FULL, **longer})
    run = new_run(alone, tmp_path)
    with started(run, "--gpus", "2") as launcher:
        wait_for_step(run, 2, launcher)
        for kind in ("pause", "sample", "save", "unpause"):
            append_command(run, kind)
            wait_for(lambda kind=kind: kind in answers(run), launcher)
        paused_at = events_of(run, "step")[-1]["step"]
        wait_for_step(run, paused_at + 2, launcher)
        append_command(run, "pause")
        wait_for(lambda: answers(run).count("pause") == 2, launcher)
        os.kill(process_of(launcher, rank=1), signal.SIGTERM)
        assert launcher.wait(PATIENCE) == 75, run.console_log.read_text()

    told = {event["command"]: event["ok"] for event in events_of(run, "control_ack")}
    assert told == {"pause": True, "sample": False, "save": True, "unpause": True}  # it has no prompts
    assert "a signal to another of its processes" in events_of(run, "failed")[-1]["text"]
    assert last_state(run) == events_of(run, "step")[-1]["step"]
    same_as(run, run_job(alone, steps=last_state(run)))


def answers(run: RunDirectory) -> list[str]:
    return [event["command"] for event in events_of(run, "control_ack")]


def wait_for(condition: Callable[[], bool], launcher: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert launcher.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("optimizer", ["adamw", "lion8bit", "prodigy"])
def test_everything_of_a_training_moves(make_job, run_job, optimizer: str):
    """All that is as large as the weights: them, the state of each, its average, what is cached of the texts."""
    job = make_job(reg=False, optimizer={"type": optimizer}, ema={"enable": True}, text_encoder={"train": False})
    run_job(job, 1)
    moved = {id(tensor) for tensor in tensors_of(job)}
    assert len(moved) == len(list(tensors_of(job)))
    values = (value for state in job.optimizer.state() for value in state.values())
    states = [value for value in values if isinstance(value, torch.Tensor)]
    assert len(states) >= len(job.parameters)
    for held in (
        job.parameters.values(),
        job.model.text_encoder.parameters(),
        job.model.vae.buffers(),
        job.average.tensors.values(),
        job.conditioning.embeddings.values(),
        states,
    ):
        assert moved >= {id(value) for value in held}


def test_the_memory_that_is_free_is_that_of_the_container(tmp_path: Path):
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert free_main_memory(tmp_path) is None
    write("proc/meminfo", "MemTotal:  900 kB\nMemAvailable:    500 kB\n")
    assert free_main_memory(tmp_path) == 500 * 1024
    write("sys/fs/cgroup/memory.max", "max\n")
    write("sys/fs/cgroup/memory.current", "200000\n")
    write("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 30000\n")
    assert free_main_memory(tmp_path) == 500 * 1024
    write("sys/fs/cgroup/memory.max", "300000\n")
    assert free_main_memory(tmp_path) == 130000
