"""Several processes train one run as one process does: the same losses, short batches included."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError
from trainer_core.ranks.launch import launch
from trainer_core.ranks.several import Several
from trainer_core.resume.wishes import NO_WISHES
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.train.checkpoint import newest_valid
from trainer_core.train.job import Job
from trainer_core.train.loop import StepReport
from trainer_core.train.resume import restore

Train = Callable[..., list[StepReport]]
PATIENCE = 300
FULL: dict[str, dict[str, Any]] = {
    "dataset": {"cache_latents": "off", "flip_aug": True, "caption_dropout_rate": 0.3},
    "loss": {"noise_offset": 0.1},
    "train": {"max_steps": 5, "batch_size": 3},  # 10 samples an epoch: the fourth batch has one
    "text_encoder": {"train": True},
    "save": {"every_n_steps": 3},
}
LORA: dict[str, dict[str, Any]] = {
    "method": {"train": "lora"},
    "network": {"rank": 4, "dropout": 0.2},
    "dataset": {"cache_latents": "ram", "flip_aug": True},
    "train": {"max_steps": 4, "batch_size": 4, "gradient_accumulation": 2},
}


def new_run(job: Job, folder: Path) -> RunDirectory:
    return create_run(folder, "several", dump_config(job.config))


def words(run: RunDirectory, *options: str) -> list[str]:
    return [sys.executable, "-m", "trainer_core", *options, str(run.path)]


@contextmanager
def started(run: RunDirectory, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a launcher; whatever it left is ended with the session that it leads."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with run.console_log.open("ab") as log:
        process = subprocess.Popen(words(run, *options), stdout=log, stderr=log, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGTERM):
                process.send_signal(number)
            process.wait(PATIENCE)


def exit_code(run: RunDirectory, *options: str) -> int:
    with started(run, *options) as process:
        return process.wait(PATIENCE)


def events_of(run: RunDirectory, kind: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    return [event for event in events if event["kind"] == kind]


def same_as(run: RunDirectory, reference: list[StepReport]) -> None:
    """Compare losses and gradients with those of one process."""
    steps = events_of(run, "step")
    assert [step["step"] for step in steps] == [report.step for report in reference]
    assert [step["loss"] for step in steps] == pytest.approx([report.loss for report in reference], abs=1e-5)
    assert [step["grad_norm"] for step in steps] == pytest.approx(
        [report.grad_norm for report in reference], rel=1e-4
    )


def test_two_processes_are_one_and_either_goes_on_with_the_other(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    alone = make_job(reg=False, side=128, **FULL)
    run = new_run(alone, tmp_path)
    reference = run_job(alone)

    assert exit_code(run, "--gpus", "2") == 0, run.console_log.read_text()

    assert {len(batch.items) for batch in map(alone.samples.order.step, range(5)) for batch in batch} == {1, 3}
    same_as(run, reference)
    resumed = make_job(reg=False, side=128, **FULL)
    state, _ = newest_valid(run.checkpoints)
    assert state is not None
    restore(resumed, state)
    assert resumed.step == 3
    after = run_job(resumed)
    assert [report.loss for report in after] == pytest.approx([each.loss for each in reference[3:]], abs=1e-5)
    for name, weight in alone.parameters.items():
        torch.testing.assert_close(resumed.parameters[name], weight, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_lora_on_two_machines_that_meet_is_the_lora_of_one(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    alone = make_job(side=128, **LORA)
    run = new_run(alone, tmp_path)
    reference = run_job(alone)

    with two_machines(run) as both:
        codes = [machine.wait(PATIENCE) for machine in both]

    assert codes == [0, 0], run.console_log.read_text()
    same_as(run, reference)
    kept = load_file(next(run.output.glob("*.safetensors")))
    assert any(float(tensor.float().abs().sum()) for name, tensor in kept.items() if "up" in name)


@pytest.mark.slow
def test_a_signal_to_the_second_machine_stops_both_with_the_state_saved(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    run = new_run(make_job(reg=False, train={"max_steps": 100_000, "batch_size": 2}), tmp_path)

    with two_machines(run) as (first, second):
        wait_for_step(run, 2, first)
        second.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 75, run.console_log.read_text()
        assert second.wait(PATIENCE) == 0

    assert "a signal to another of its processes" in events_of(run, "failed")[-1]["text"]
    assert last_state(run) == events_of(run, "step")[-1]["step"]


@pytest.mark.slow
def test_a_stopped_run_and_one_that_lost_a_process_go_on(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    settings = {**FULL, "dataset": {"cache_latents": "disk"}, "train": {"max_steps": 60, "batch_size": 3}}
    alone = make_job(reg=False, side=128, **settings)
    run = new_run(alone, tmp_path)

    with started(run, "--gpus", "2") as launcher:
        wait_for_step(run, 2, launcher)
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(PATIENCE) == 75, run.console_log.read_text()
    stopped_at = last_state(run)
    assert "asked by SIGUSR1" in events_of(run, "failed")[-1]["text"]

    with started(run, "--gpus", "2") as launcher:
        wait_for_step(run, stopped_at + 2, launcher)
        os.kill(process_of(launcher, rank=1), signal.SIGKILL)
        assert launcher.wait(PATIENCE) == 1
    assert "another process of this run ended" in events_of(run, "failed")[-1]["text"]
    assert last_state(run) > stopped_at

    assert exit_code(run, "--gpus", "2", "--set", f"train.max_steps={last_state(run) + 2}") == 0
    told = {step["step"]: step["loss"] for step in events_of(run, "step")}  # what was done anew counts
    for report in run_job(alone, steps=max(told)):
        assert told[report.step] == pytest.approx(report.loss, abs=1e-4)


@contextmanager
def two_machines(run: RunDirectory) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start two launchers that meet on the loopback address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"127.0.0.1:{free.getsockname()[1]}"
    with ExitStack() as machines:
        yield [
            machines.enter_context(
                started(run, "--gpus", "1", "--nodes", "2", "--node-rank", str(rank), "--rendezvous", meeting)
            )
            for rank in range(2)
        ]


def wait_for_step(run: RunDirectory, step: int, launcher: subprocess.Popen[bytes]) -> None:
    while launcher.poll() is None:
        if run.events.exists() and f'"step":{step},' in run.events.read_text():
            return
        time.sleep(0.05)
    pytest.fail(run.console_log.read_text())


def last_state(run: RunDirectory) -> int:
    return max(int(path.name) for path in run.checkpoints.iterdir())


def process_of(launcher: subprocess.Popen[bytes], *, rank: int) -> int:
    """Return the pid of the process `rank` that `launcher` started."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (folder / "stat").exists():
            parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[1]
            if int(parent) == launcher.pid and f"RANK={rank}".encode() in (folder / "environ").read_bytes().split(
                b"\0"
            ):
                return int(folder.name)
    raise AssertionError("no such process")


def test_a_run_is_not_begun_with_settings_that_several_processes_cannot_follow(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = make_job(memory={"fused_backward": True}, train={"batch_size": 1})
    run = new_run(job, tmp_path)

    with pytest.raises(UserError) as refused:
        launch(run, Several(2), NO_WISHES, [])
    first, second = refused.value.problems
    assert "train.batch_size = 1" in first
    assert "memory.fused_backward" in second
    assert not run.events.exists()
