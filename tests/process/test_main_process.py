"""`dbtui run` as the first process of a container: a pid namespace of its own, where the system allows one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trainer_core.run.directory import RunDirectory

UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def refusal() -> str:
    """Say why there is no pid namespace here; empty if there is one."""
    if not sys.platform.startswith("linux"):
        return "only Linux has pid namespaces"
    try:
        tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        return f"unshare: {error.strerror}"
    return tried.stderr.strip()


pytestmark = pytest.mark.skipif(bool(refusal()), reason=f"no pid namespace: {refusal()}")


@pytest.fixture
def container(watched: Callable[..., list[str]]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `dbtui run` with the fake trainer as process 1; what is returned is what made the namespace."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [*UNSHARE, *watched(*options)]
        started.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zombies(pid: int) -> list[int]:
    states = {
        child: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children(pid)
    }
    return [child for child, state in states.items() if state == "Z"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_passes_signals_on_waits_and_tells_the_exit_code(container, state, wait, number: signal.Signals):
    outside = container("--saving", "1")
    wait(lambda: state().step > 3, "the trainer trains")
    (first,) = children(outside.pid)
    os.kill(first, number)
    output, _ = outside.communicate(timeout=20)
    assert f"{number.name}: the trainer is asked to save and stop" in output
    assert outside.returncode == 75
    assert state().ending.exit_code == 75  # all processes end with the first: it has waited for the save
    assert state().ending.text == f"stopped by {number.name}"


def test_it_buries_the_orphans_and_tells_the_end(container, state, wait):
    outside = container("--steps", "150", "--orphans", "5")
    wait(lambda: state().step > 60, "the orphans have ended")
    (first,) = children(outside.pid)
    wait(lambda: not zombies(first) and len(children(first)) == 1, "nobody but the trainer is left")
    assert state().ending is None
    outside.communicate(timeout=30)
    assert outside.returncode == 0


def test_on_a_terminal_it_stays_too(run: RunDirectory, watched, terminal, state, wait):
    viewer = terminal([*UNSHARE, *watched("--saving", "1")])
    wait(lambda: state().step > 3, "the trainer trains")
    viewer.wait_for("detach")
    viewer.type("d")
    viewer.wait_for("step ")
    (first,) = children(viewer.process.pid)
    before = state().step
    wait(lambda: state().step > before + 5, "the training goes on")
    os.kill(first, signal.SIGTERM)
    assert viewer.end() == 75
    assert state().ending.exit_code == 75
