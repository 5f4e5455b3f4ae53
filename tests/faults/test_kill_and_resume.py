"""kill -9 at random moments, again and again: what comes out in the end is what would have come out without."""

import hashlib
import json
import random
import time

import pytest

from tests.faults.evidence import console, losses
from trainer_core.run.events import EventReader
from trainer_core.suggestion import Course

SETTINGS = (
    'dataset.cache_latents="off"',
    "dataset.flip_aug=true",
    'scheduler.type="cosine"',
    "ema.enable=true",
    "save.every_n_steps=5",
    "validation.samples=2",
)
A_STEP = 0.1
"""Seconds, a bit more than a step takes: a trainer lives up to that long for each step of the training."""


def test_killed_twice_over(server, make_run, tmp_path):
    rounds(2, 12, (1, 3), server, make_run, tmp_path)


@pytest.mark.faults
@pytest.mark.row(6)
def test_killed_twenty_times_over(server, make_run, tmp_path):
    rounds(20, 60, (2, 5), server, make_run, tmp_path)


def rounds(count, steps, kills, server, make_run, runs_dir):
    """Train undisturbed, then `count` times with kills, resumed until done; all must end in the same weights."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, settings = random.Random(seed), (*SETTINGS, f"train.max_steps={steps}")
    whole = make_run(runs_dir, *settings, name="whole")
    assert server.start(whole).wait() == 0, console(whole)
    for number in range(count):
        run = make_run(runs_dir, *settings, name=f"round-{number}")
        lives = [chance.uniform(0, steps * A_STEP) for _ in range(chance.randint(*kills))]
        for seconds in lives:
            trainer = server.start(run)
            time.sleep(seconds)
            trainer.kill()
            if trainer.wait() == 0:
                break
        else:
            assert server.start(run).wait() == 0, console(run)
        assert weights_of(run) == weights_of(whole), f"seed {seed}, round {number}, killed after {lives}"
        assert losses(run) == losses(whole)
        assert measured(run) == measured(whole)


def measured(run):
    """What was measured at each step, by what readers of the events keep."""
    course = Course()
    for event in EventReader(run.events).poll():
        course.see(event)
    assert course.measured
    return course.measured


def weights_of(run):
    """The names and places of the tensors in the final file, and a hash of all their bytes."""
    data = (run.output / "frog.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")  # holds the date
    return sorted(map(str, header.items())), hashlib.sha256(data[8 + length :]).hexdigest()
