"""FSDP: two processes with a part of every weight each train as one does, and save what anybody can go on with."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trainer_core.train.checkpoint import newest_valid
from trainer_core.train.job import Job
from trainer_core.train.loop import StepReport
from trainer_core.train.resume import restore

from .test_several import FULL, events_of, exit_code, new_run, same_as

Train = Callable[..., list[StepReport]]
CUT = {"memory": {"fsdp": True}}


def test_two_processes_with_half_of_each_weight_are_one(
    make_job: Callable[..., Job], run_job: Train, tmp_path: Path
) -> None:
    """Everything that needs whole weights in one run: state, model, preview, validation, with EMA and clipping."""
    tables: dict[str, dict[str, Any]] = {
        **FULL,
        "optimizer": {"max_grad_norm": 0.05},
        "ema": {"enable": True, "decay": 0.5},
        "sample": {"prompts": [{"prompt": "a frog", "steps": 2, "width": 64, "height": 64}], "every_n_steps": 3},
        "validation": {"samples": 2},
    }
    alone = make_job(reg=False, side=128, **tables)
    run = new_run(make_job(reg=False, side=128, **tables, **CUT), tmp_path)
    reference = run_job(alone)

    assert exit_code(run, "--gpus", "2") == 0, run.console_log.read_text()

    same_as(run, reference)
    print(run.console_log.read_text(), [e for e in events_of(run, "validation")], list(run.samples.iterdir()))
