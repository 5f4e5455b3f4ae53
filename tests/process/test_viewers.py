"""Viewers that die, lose their line, are slow or small, and runs that pause or stall under their eyes."""

import re
import signal
import sys
import time
from collections.abc import Callable

import pytest

from dbtui.dashboard.state import fold
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lines import encode_line
from trainer_core.run.lock import acquire, is_alive

ATTACH = [sys.executable, "-m", "dbtui", "attach"]
QUESTION = re.compile(r"\x1b\[[?>=]?[0-9;]*[cn]|\x1b\[[0-9;?]*\$p|\x1b\][0-9;]*\?|\x1b_G|\x1bP\+q")
"""What makes a terminal answer: device attributes and status, modes, colours, graphics."""


@pytest.fixture
def attach(terminal, run) -> Callable:
    def open_viewer(**options):
        screen = terminal([*ATTACH, str(run.path)], **options)
        screen.wait_for("training")
        return screen

    return open_viewer


@pytest.fixture
def scene(run: RunDirectory):
    """A run that the test itself trains, so to speak: it holds the lock and writes what it likes."""
    lock = acquire(run)

    def write(data: bytes) -> None:
        with run.events.open("ab", buffering=0) as file:
            file.write(data)

    yield write
    lock.release()


@pytest.mark.row(1, 8)
def test_viewers_come_and_go_and_the_run_does_not_notice(attach, trainer, run, state, wait):
    """Of three one is killed, one loses its line, one stays to the end; a fourth comes back without a gap."""
    process = trainer("--steps", "700", "--delay", "0.01")
    killed, dropped, stays = attach(), attach(), attach()
    killed.process.kill()
    killed.process.wait()
    dropped.hang_up()
    dropped.process.wait(20)
    before = state().step
    assert is_alive(run)
    wait(lambda: state().step > before + 5, "the training goes on")
    back = attach()
    assert stays.end(60) == back.end(60) == 0
    assert "is done: 700 steps" in stays.text
    assert "is done: 700 steps" in back.text
    assert process.wait(20) == 0
    steps = [event["step"] for event in EventReader(run.events).poll() if event["kind"] == "step"]
    assert steps == list(range(1, 701))


@pytest.mark.row(9)
def test_a_hangup_gives_the_terminal_back(attach, trainer, run):
    trainer("--steps", "100000")
    screen = attach()
    screen.process.send_signal(signal.SIGHUP)  # the shell's, while the terminal is still there
    assert screen.end() == 0
    assert screen.is_put_back()
    assert is_alive(run)


def test_p_pauses_and_goes_on(attach, trainer, run, state, wait):
    trainer("--steps", "100000")
    screen = attach()
    screen.type("p")
    screen.wait_for("paused at step")
    screen.wait_for("p go on")
    assert state().is_paused
    at = state().step
    screen.type(" ")
    wait(lambda: state().step > at, "the training goes on")
    wait(lambda: "p pause" in screen.text.rpartition("p go on")[2], "the keys are those of a running one again")
    screen.type("d")
    assert screen.end() == 0


@pytest.mark.row(10)
def test_a_stall_is_shown_while_it_lasts(attach, trainer, run, wait):
    process = trainer("--steps", "100000")
    screen = attach()
    process.send_signal(signal.SIGSTOP)
    screen.wait_for("stalled at step")
    screen.wait_for(f"kill -CONT {process.pid}")
    process.send_signal(signal.SIGCONT)
    wait(lambda: "ETA" in screen.text.rpartition("stalled")[2], "it is training again")
    screen.type("d")
    assert screen.end() == 0


@pytest.mark.row(56)
def test_half_an_event_is_not_shown_until_it_is_whole(terminal, scene, run, wait):
    scene(encode_line({"t": time.time(), "kind": "phase", "name": "train", "total": 800}))
    step = encode_line({"t": time.time(), "mono": 1.0, "kind": "step", "step": 413, "epoch": 1, "loss": 0.25})
    scene(step[:30])
    screen = terminal([*ATTACH, str(run.path)])
    screen.wait_for("training")
    time.sleep(1.2)  # the viewer looks once a second
    assert "413" not in screen.text
    scene(step[30:])
    screen.wait_for("413/800")
    screen.type("d")
    assert screen.end() == 0


@pytest.mark.row(1)
def test_a_viewer_that_comes_at_step_9000_sees_what_the_others_see(terminal, scene, run):
    now = time.time()
    events = [{"t": now, "mono": 0.0, "kind": "phase", "name": "train", "total": 10_000}]
    events += [
        {"t": now, "mono": step * 0.5, "kind": "step", "step": step, "epoch": 1, "loss": 1 / step}
        for step in range(1, 9001)
    ]
    scene(b"".join(encode_line(event) for event in events))
    screen = terminal([*ATTACH, str(run.path)], size=(120, 40))
    screen.wait_for("9000/10000")
    smooth = fold(events).smooth_loss
    assert smooth is not None
    screen.wait_for(f"smooth {smooth:.2e}")
    screen.wait_for("ETA 8 min")
    screen.type("d")
    assert screen.end() == 0


@pytest.mark.row(55)
@pytest.mark.parametrize("size", [(20, 5), (1, 1), (300, 100)])
def test_a_viewer_in_any_size(terminal, trainer, run, size):
    trainer("--steps", "100000")
    screen = terminal([*ATTACH, str(run.path)], size=size)
    screen.wait_for("\x1b[?1049h")
    time.sleep(0.6)
    for width, height in [(20, 5), (1, 1), (300, 100), (80, 24)] * 4:
        screen.resize(width, height)
        screen.process.send_signal(signal.SIGWINCH)
        time.sleep(0.02)
    screen.resize(80, 24)
    screen.process.send_signal(signal.SIGWINCH)
    screen.wait_for("d detach")
    screen.type("d")
    assert screen.end() == 0
    assert screen.is_put_back()


@pytest.mark.row(55)
@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_can_do_nothing_gets_plain_lines(terminal, trainer, run, term: str):
    trainer("--steps", "60")
    screen = terminal([*ATTACH, str(run.path)], term=term)
    assert screen.end() == 0
    assert "step 60/60 (100%)" in screen.text
    assert "is done: 60 steps" in screen.text
    assert "\x1b" not in screen.text


@pytest.mark.row(55)
def test_a_slow_line(terminal, trainer, run, state):
    """Half a second there and back: nothing is asked of the terminal, and a key in pieces is no key."""
    trainer("--steps", "100000")
    screen = terminal([*ATTACH, str(run.path)])
    screen.wait_for("training")
    for piece in ("\x1b", "[", "D", "\x1bO", "p", "\x1b[1;2", "x"):
        time.sleep(0.25)
        screen.type(piece)
    time.sleep(0.8)
    assert screen.process.poll() is None
    assert state().acks == {}
    assert QUESTION.search(screen.text) is None
    screen.type("d")
    assert screen.end() == 0
    assert screen.is_put_back()


def test_without_a_terminal_it_prints_lines(dbtui, trainer, run):
    trainer("--steps", "60")
    shown = dbtui("attach", run.path)
    assert shown.returncode == 0
    assert "step 60/60 (100%)" in shown.stdout
    assert "\x1b" not in shown.stdout
