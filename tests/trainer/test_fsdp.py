"""FSDP: two processes with a part of every weight each train as one does, and save what anybody can go on with."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tomlkit import dumps
from torch.distributed.fsdp import FSDPModule

from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError
from trainer_core.memory.fake_model import published_configs
from trainer_core.models.modules import build_empty
from trainer_core.models.sizes import TOGETHER
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.train.checkpoint import Checkpoint, load_checkpoint, newest_valid, save_checkpoint
from trainer_core.train.job import Job
from trainer_core.train.loop import StepReport
from trainer_core.train.out_of_memory import advice
from trainer_core.train.possible import refuse_impossible
from trainer_core.train.result import save_result
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.sharded import blocks_of

from .test_several import (
    FULL,
    PATIENCE,
    events_of,
    exit_code,
    last_state,
    process_of,
    same_as,
    started,
    wait_for_step,
)

Train = Callable[..., list[StepReport]]
EVERYTHING: dict[str, dict[str, Any]] = {
    **FULL,
    "train": {"max_steps": 4, "batch_size": 3},  # the fourth batch has one picture, the second process none of it
    "optimizer": {"max_grad_norm": 0.05},
    "ema": {"enable": True, "decay": 0.5},
    "sample": {"prompts": [{"prompt": "a frog", "steps": 1, "width": 64, "height": 64}], "every_n_steps": 3},
    "validation": {"samples": 1},
}


def cut(job: Job, folder: Path, name: str = "cut") -> RunDirectory:
    """Make a run of the same training with memory.fsdp."""
    memory = job.config.memory.model_copy(update={"fsdp": True})
    return create_run(folder, name, dump_config(job.config.model_copy(update={"memory": memory})))


def trained(*runs: RunDirectory, processes: int = 2) -> str:
    """Train runs with so many processes each; return what they told, and ask that all went well."""
    words = [sys.executable, "-m", "tests.trainer.pair", str(processes), *(str(run.path) for run in runs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    return told


def same_state(one: Checkpoint, other: Checkpoint) -> None:
    """Compare two states: the same tensors of the same types, nearly the same numbers."""
    pairs = [(one.weights, other.weights), (one.average, other.average)]
    pairs += zip(one.optimizer, other.optimizer, strict=True)
    for mine, yours in pairs:
        assert mine.keys() == yours.keys()
        for name, value in mine.items():
            torch.testing.assert_close(value, yours[name], rtol=0, atol=1e-4)


def saved_state(run: RunDirectory, step: int) -> Checkpoint:
    state, damaged = newest_valid(run.checkpoints)
    assert state is not None
    assert not damaged
    found = load_checkpoint(state, torch.device("cpu"))
    assert found.step == step
    return found


def test_two_processes_with_a_part_of_each_weight_are_one(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    """They go on with the state of one, which could go on with theirs: it is the same."""
    alone = make_job(reg=False, side=128, **EVERYTHING)
    run = cut(alone, tmp_path)
    run_job(alone, steps=2)
    save_checkpoint(run.checkpoints, checkpoint_of(alone))
    reference = run_job(alone, steps=1)
    state = checkpoint_of(alone).copy()
    reference += run_job(alone)
    with alone.kept_weights():
        expected = load_file(save_result(alone, tmp_path / "alone").paths[0])

    trained(run)

    same_as(run, reference)
    same_state(saved_state(run, step=3), state)
    kept = load_file(run.output / "last.safetensors")
    assert kept.keys() == expected.keys()
    for name, weight in kept.items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-4)
    assert [event["step"] for event in events_of(run, "sample")] == [3, 4]
    assert [event["step"] for event in events_of(run, "validation")] == [3, 4]


@pytest.mark.parametrize("family", ["sd1", "sd2"])
def test_what_fsdp_brings_together_is_counted(family: Any) -> None:
    configs = published_configs(family, "epsilon")
    for part, (root, largest) in TOGETHER[family].items():
        module = build_empty(part, configs[part])
        blocks = [count(block) for block in blocks_of(module)]
        assert (count(module) - sum(blocks), max(blocks)) == (root, largest)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_torch_that_is_too_old_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"schema": 1, "memory": {"fsdp": True}, "optimizer": {"type": "adamw"}})
    refuse_impossible(config, torch.device("cpu"))
    monkeypatch.delattr(FSDPModule, "set_force_sum_reduction_for_comms")
    with pytest.raises(UserError, match=r"memory\.fsdp needs a newer torch"):
        refuse_impossible(config, torch.device("cpu"))


def test_what_does_not_go_with_it_is_not_advised() -> None:
    settings: dict[str, Any] = {"schema": 1, "memory": {"fsdp": True}, "optimizer": {"type": "adamw"}}
    for way in advice(Config.model_validate(settings)):
        key, _, value = way.partition(" (")[0].partition(" = ")
        if value:
            table, name = key.split(".")
            read = tomllib.loads(f"value = {value}")["value"]
            if name != "full_bf16":  # needs mixed_precision beside it
                parse_config(dumps({**settings, table: {**settings.get(table, {}), name: read}}), "run.toml")


CASES: dict[str, dict[str, dict[str, Any]]] = {
    "many ways": {
        "model": {"clip_skip": 2},
        "train": {"max_steps": 3, "batch_size": 3, "gradient_accumulation": 2},
        "memory": {"gradient_checkpointing": True, "attention": "sliced"},
        "text_encoder": {"train": True, "stop_at_step": 2, "max_token_length": 150},
        "dataset": {"cache_latents": "ram"},
    },
    "schedule-free, the U-Net alone": {
        "optimizer": {"type": "adamw_schedulefree"},
        "scheduler": {"type": "constant"},
        "text_encoder": {"train": False},
        "train": {"max_steps": 4, "batch_size": 5},
        "save": {"every_n_steps": 2},
        "validation": {"samples": 2},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_three_processes_are_one(make_job: Callable[..., Job], run_job: Train, tmp_path: Path, case: str) -> None:
    """Of some weights the last process has no row at all."""
    alone = make_job(reg=False, side=128, **CASES[case])
    run = cut(alone, tmp_path)
    reference = run_job(alone)
    with alone.kept_weights():
        expected = load_file(save_result(alone, tmp_path / "alone").paths[0])

    trained(run, processes=3)

    same_as(run, reference)
    kept = load_file(run.output / "last.safetensors")
    for name, weight in kept.items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=2e-4)


@pytest.mark.slow
def test_weights_of_16_bits_are_cut_and_one_process_goes_on_with_them(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    """Each part is rounded by itself, so the numbers are near those of one process and no more."""
    tables = {**FULL, "memory": {"mixed_precision": "bf16", "full_bf16": True}}
    alone = make_job(reg=False, side=128, **tables)
    run = cut(alone, tmp_path)
    reference = run_job(alone)

    trained(run)

    losses = [event["loss"] for event in events_of(run, "step")]
    assert losses == pytest.approx([report.loss for report in reference], abs=2e-2)
    back = make_job(reg=False, side=128, **tables)
    restore(back, newest_valid(run.checkpoints)[0] or tmp_path)
    assert {weight.dtype for weight in back.parameters.values()} == {torch.bfloat16}
    assert run_job(back)[0].loss == pytest.approx(losses[3], abs=2e-2)


@pytest.mark.slow
def test_it_stops_loses_a_process_and_goes_on_in_one(make_job: Callable[..., Job], tmp_path: Path) -> None:
    tables = {**FULL, "dataset": {"cache_latents": "disk"}, "train": {"max_steps": 60, "batch_size": 3}}
    run = cut(make_job(reg=False, side=128, **tables), tmp_path)

    with started(run, "--gpus", "2") as launcher:
        wait_for_step(run, 4, launcher)
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(PATIENCE) == 75, run.console_log.read_text()
    stopped_at = last_state(run)
    assert stopped_at == events_of(run, "step")[-1]["step"]

    with started(run, "--gpus", "2") as launcher:
        wait_for_step(run, stopped_at + 1, launcher)
        os.kill(process_of(launcher, rank=1), signal.SIGKILL)
        assert launcher.wait(PATIENCE) == 1
    assert "another process of this run ended" in events_of(run, "failed")[-1]["text"]

    assert exit_code(run, "--set", "memory.fsdp=false", "--set", f"train.max_steps={last_state(run) + 2}") == 0
    told = {step["step"]: step["loss"] for step in events_of(run, "step")}
    assert sorted(told) == list(range(1, max(told) + 1))
