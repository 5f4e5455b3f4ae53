"""Predictions against what a process really took: the kernel's pages, not a count of tensors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_core.run.memory import free_main_memory

PROGRAM = Path(__file__).with_name("real_step.py")
WITHIN = 0.1
U_NET_ALONE = {"text_encoder": {"train": False}, "optimizer": {"type": "adamw"}}
IN_PAIRS = {**U_NET_ALONE, "train": {"batch_size": 2}}
MANY_ACTIVATIONS = {"channels": [64, 128, 256, 256], "depth": 1, "side": 256, "settings": IN_PAIRS}
MANY_WEIGHTS = {"channels": [96, 192, 384, 384], "depth": 1, "side": 64, "settings": U_NET_ALONE}
HALF_WIDTH = {"channels": [160, 320, 640, 640], "depth": 2, "side": 128, "settings": U_NET_ALONE}


def held(*requests: dict[str, object]) -> list[dict[str, int]]:
    """Freed blocks go back to the kernel at once, so that its count is that of what is in use."""
    settled = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, PROGRAM, json.dumps(requests)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, **settled, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROGRAM.parents[2])},
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def assert_close(found: dict[str, int]) -> None:
    assert abs(found["predicted"] / found["measured"] - 1) < WITHIN, found


@pytest.mark.parametrize("request_of", [pytest.param(MANY_ACTIVATIONS, marks=pytest.mark.slow), MANY_WEIGHTS])
def test_two_sizes(request_of: dict[str, object]):
    """Once most of it are activations, once weights, gradients and the optimizer's state."""
    assert_close(held(request_of)[0])


@pytest.mark.slow
def test_a_u_net_of_half_the_width():
    if (free_main_memory() or 0) < 6 * 2**30:
        pytest.skip("needs 4 GiB of memory")
    assert_close(held(HALF_WIDTH)[0])
