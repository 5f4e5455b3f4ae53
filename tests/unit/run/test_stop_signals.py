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


def hear_hangups() -> None:
    """The tests themselves may run under nohup, which children inherit."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def trainer() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=hear_hangups,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
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


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_several_of_these_are_one(number: signal.Signals):
    with trainer() as process:
        assert process.stdout
        os.kill(process.pid, number)
        assert process.stdout.readline() == f"{number.name}\n"
        os.kill(process.pid, number)
        assert process.communicate("\n", timeout=10)[0] == "saved\n"


STUCK = """
import ctypes, sys, time
import trainer_core.run.stop_signals as stop_signals
stop_signals.PATIENCE = 0.3
def stuck():
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)
signals = stop_signals.StopSignals()
print("ready", flush=True)
"""
"""A process whose main thread goes into native code for good."""


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_hangups,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_signal_ends_it_in_native_code_too_and_one_does_not():
    with running(STUCK + "stuck()") as process:
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        assert process.wait(10) == 75


def test_work_that_may_be_interrupted_is_left_even_in_native_code():
    program = "try:\n    with signals.interrupting():\n        stuck()\nfinally:\n    stuck()"
    with running(STUCK + program) as process:
        process.terminate()
        assert process.wait(10) == 75


INTERRUPTED = """
try:
    with signals.interrupting():
        time.sleep(60)
except Exception:
    print("taken for an error", flush=True)
except stop_signals.StopRequestedError:
    signals.close()
    print(signals.stop_requested, flush=True)
time.sleep(60)
"""


def test_an_interruption_is_raised_and_what_was_before_is_put_back():
    with running(STUCK.replace("0.3", "30") + INTERRUPTED) as process:
        process.send_signal(signal.SIGUSR1)
        assert process.stdout
        assert process.stdout.readline() == "SIGUSR1\n"
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM


def test_work_begun_after_the_signal_is_interrupted_at_once():
    program = "\nwhile not signals.stop_requested: time.sleep(0.01)\nwith signals.interrupting(): time.sleep(60)"
    with running(STUCK.replace("0.3", "30") + program) as process:
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 1  # the exception that nobody catches here
