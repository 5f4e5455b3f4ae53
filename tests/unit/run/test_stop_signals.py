import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

TRAIN = """
import time
from trainer_core.run.stop_signals import StopSignals
signals = StopSignals()
print("ready", flush=True)
while signals.stop_requested is None:
    time.sleep(0.01)
print(signals.stop_requested, flush=True)
input()
print("saved", flush=True)
raise SystemExit(75)
"""


@contextmanager
def trainer() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_asks(number: signal.Signals):
    with trainer() as process:
        os.kill(process.pid, number)
        assert process.stdout
        assert process.stdout.readline() == f"{number.name}\n"
        assert process.communicate("\n", timeout=10)[0] == "saved\n"
        assert process.returncode == 75


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_does_not_ask(number: signal.Signals):
    with trainer() as process:
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout
        assert process.stdout.readline() == "SIGTERM\n"
        os.kill(process.pid, number)
        assert process.wait(10) == 75
        assert process.stdout.read() == ""


def test_several_hangups_are_one():
    with trainer() as process:
        assert process.stdout
        os.kill(process.pid, signal.SIGHUP)
        assert process.stdout.readline() == "SIGHUP\n"
        os.kill(process.pid, signal.SIGHUP)
        assert process.communicate("\n", timeout=10)[0] == "saved\n"
