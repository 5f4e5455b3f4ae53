"""What is around a training: its terminal's connection, a driver that hangs, a clock that somebody set."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.evidence import console, events, losses, same_weights, wait_for_step, wait_until
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive

HANGING_DRIVER = """
import sys, time, types
nvml = types.ModuleType("pynvml")
nvml.nvmlInit = lambda: time.sleep(600)
sys.modules["pynvml"] = nvml
from trainer_core.run.machine import GpuMonitor
from trainer_core.train.session import Session
at_once = Session.report
def report(self, *arguments):
    self.gpu = self.gpu or GpuMonitor("0")
    return at_once(self, *arguments)
Session.report = report
"""


@pytest.mark.faults
@pytest.mark.row(1, 2)
def test_a_connection_breaks_under_dbtui_run(run_file, tmp_path, whole, dbtui):
    """The real command, the real trainer, and a terminal that is closed: the viewer ends, the run continues."""
    from tests.process.conftest import Terminal

    run = RunDirectory(tmp_path / "runs" / "frog")
    command = [sys.executable, "-m", "dbtui", "run", run_file, "--name", "frog", "--runs-dir", tmp_path / "runs"]
    screen = Terminal(list(map(str, command)))
    try:
        wait_until(lambda: (screen.text, run.events.exists())[1], "the trainer has started")
        wait_until(lambda: (screen.text, events(run, "step"))[1], f"it trains: {console(run)}")
        screen.hang_up()
        assert screen.process.wait(60) == 0
    finally:
        screen.close()
    wait_until(lambda: not is_alive(run), "the training ends")
    assert sorted(losses(run)) == sorted(losses(whole)), "no gap"
    assert same_weights(run, whole)
    shown = dbtui("attach", run.path)
    assert shown.returncode == 0
    assert "is done" in shown.stdout


@pytest.mark.row(54)
def test_a_driver_that_hangs_does_not_hold_the_training(run, start, whole):
    assert start(run, before=HANGING_DRIVER).wait(60) == 0, console(run)
    assert {event["gpu_load"] for event in events(run, "step")} == {None}
    assert same_weights(run, whole)


def libfaketime() -> str | None:
    """Return Debian's libfaketime, which moves the clock of one process."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else ctypes.util.find_library("faketimeMT")


@pytest.mark.faults
@pytest.mark.row(33)
@pytest.mark.parametrize("jump", ["-1h", "+10y"])
def test_a_clock_that_is_set_while_it_trains(make_run, tmp_path, whole, jump):
    """The first part under the true clock, killed; the second an hour earlier, or ten years later."""
    library = libfaketime()
    if library is None:
        pytest.skip("libfaketime is not installed (apt-get install faketime)")
    run = make_run(tmp_path / "runs")
    command = [sys.executable, "-m", "trainer_core", str(run.path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with run.console_log.open("ab") as log:
        first = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            wait_for_step(run, 6)
        finally:
            first.kill()
            first.wait()
        moved = {"LD_PRELOAD": library, "FAKETIME": jump, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        done = subprocess.run(command, stdout=log, stderr=log, env=environment | moved, timeout=300, check=False)
    assert done.returncode == 0, console(run)
    assert same_weights(run, whole)
    assert losses(run) == losses(whole)
    times = [event["t"] for event in events(run)]
    assert abs(times[-1] - times[0]) > 3000, "the clock was moved"
    monotonic = [event["mono"] for event in events(run)]
    assert monotonic == sorted(monotonic)
