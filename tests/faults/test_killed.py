"""SIGKILL at random moments, in the middle of saves too: something whole is always left, and nothing is lost."""

import random
import shutil
import time

import pytest

from tests.faults.evidence import console, losses, same_weights, strays, valid, wait_until

KILLS = 200


@pytest.mark.faults
@pytest.mark.row(6)
def test_two_hundred_kills(server, make_run, tmp_path):
    settings = ("save.every_n_steps=1", "train.max_steps=40")
    expected = make_run(tmp_path / "whole", *settings)
    assert server.start(expected).wait() == 0, console(expected)
    killed, number = 0, 0
    while killed < KILLS:
        run = make_run(tmp_path / "runs", *settings, name=f"run-{number}")
        killed += kill_until_done(server, run, random.Random(number), KILLS - killed)
        assert same_weights(run, expected)
        assert losses(run) == losses(expected)
        shutil.rmtree(run.path)
        number += 1


@pytest.mark.row(6)
def test_some_kills(server, make_run, tmp_path):
    settings = ("save.every_n_steps=1", "train.max_steps=8")
    run, expected = make_run(tmp_path, *settings), make_run(tmp_path / "whole", *settings)
    other = server.start(expected)
    assert kill_until_done(server, run, random.Random(1), 4) > 1
    assert other.wait() == 0, console(expected)
    assert same_weights(run, expected)


def kill_until_done(server, run, chance, most):
    """Kill trainers of the run at random moments, at most `most`, until one ends; return how many died."""
    for killed in range(most):
        kept, left_behind = len(valid(run)), strays(run)
        trainer = server.start(run)
        told = run.events.stat().st_size if run.events.exists() else 0
        wait_until(lambda: trainer.poll() is not None or trains(run, told), f"it trains: {console(run)}")  # noqa: B023
        assert not set(left_behind) & set(strays(run)), "what a killed save left is removed at the start"
        time.sleep(chance.uniform(0, 1.0))
        trainer.kill()
        status = trainer.wait()
        assert status in {0, -9}, console(run)
        assert len(valid(run)) >= min(2, kept), "a valid checkpoint was lost"
        if status == 0:
            return killed
    assert server.start(run).wait() == 0, console(run)
    assert not strays(run)
    return most


def trains(run, told):
    """Tell whether the events after the first `told` bytes say that steps are done."""
    if not run.events.exists():
        return False
    with run.events.open("rb") as file:
        file.seek(told)
        return b'"train"' in file.read()
