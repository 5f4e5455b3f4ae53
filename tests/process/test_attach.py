"""`dbtui attach`: any number of viewers of live and past runs."""

import os
import signal
import sys

import pytest

from dbtui.dashboard.state import fold
from dbtui.runs.follow import Follower
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive

DBTUI = [sys.executable, "-m", "dbtui"]


def test_attach_and_leave_and_attach_again(terminal, trainer, run):
    trainer()
    for _ in range(2):
        screen = terminal([*DBTUI, "attach", str(run.path)])
        screen.wait_for("training")
        screen.type("\x03")
        assert screen.end() == 0
        assert screen.is_put_back()
        assert is_alive(run)


@pytest.mark.row(9)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_an_attached_viewer_detaches(terminal, trainer, run, number):
    trainer()
    screen = terminal([*DBTUI, "attach", "--runs-dir", str(run.path.parent)])
    screen.wait_for("training")
    screen.process.send_signal(number)
    assert screen.end() == 0
    assert screen.is_put_back()
    assert is_alive(run)


def test_an_attached_viewer_sees_the_end(terminal, trainer, run):
    trainer("--steps", "100")
    screen = terminal([*DBTUI, "attach", str(run.path)])
    screen.wait_for("training")
    assert screen.end() == 0
    assert "is done: 100 steps" in screen.text


def test_x_in_an_attached_viewer_stops_the_run(terminal, trainer, run, state):
    trainer()
    screen = terminal([*DBTUI, "attach", str(run.path)])
    screen.wait_for("training")
    screen.type("x")
    assert screen.end() == 75
    assert state().ending.text == "stopped by command"


@pytest.mark.row(1)
def test_a_viewer_that_comes_late_folds_to_the_same_state(run, trainer, wait):
    process = trainer("--steps", "200", "--delay", "0.005")
    early = Follower(run)
    while process.poll() is None:
        early.poll()
    early.poll()
    late = Follower(run)
    late.poll()
    assert early.state == late.state == fold(EventReader(run.events).poll())
    assert late.state.step == 200


def test_a_past_run_is_shown(dbtui, trainer, run):
    trainer("--steps", "20").wait(20)
    shown = dbtui("attach", run.path)
    assert shown.returncode == 0
    assert "is done: 20 steps" in shown.stdout


def test_a_run_that_was_killed_is_shown_with_its_last_words(dbtui, trainer, run):
    process = trainer()
    process.kill()
    process.wait()
    shown = dbtui("attach", run.path)
    assert shown.returncode == 1
    assert "ended without a word" in shown.stdout


def test_a_name_that_does_not_exist(dbtui, run):
    done = dbtui("attach", "sls-forg-1", "--runs-dir", run.path.parent)
    assert done.returncode == 2
    assert "did you mean sls-frog-1?" in done.stderr


def test_a_run_that_was_not_started(dbtui, run):
    os.utime(run.run_toml, (1.0, 1.0))  # long ago: no trainer is on its way
    shown = dbtui("attach", run.path)
    assert shown.returncode == 0
    assert f"has not been started; start it with: dbtui resume {run.path}" in shown.stdout
