"""Attach and fetch over a real sshd, as a person would, with connections that are killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress
from typing import NamedTuple

import pytest

from dbtui.cli.app import run as run_command_line
from dbtui.remote.link import Link
from dbtui.remote.session import Session
from dbtui.remote.target import parse_target
from tests.process.conftest import FAKE_TRAINER, Terminal
from tests.remote.conftest import wait_until
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive

DBTUI = [sys.executable, "-m", "dbtui"]


@pytest.fixture
def trained(reachable, make_run, tmp_path):
    """Train a run with the fake trainer, in a folder whose name needs to be quoted."""
    started = []

    def start(*options: str):
        run = make_run(steps=0, folder=tmp_path / 'it\'s $(a) "far"  place')
        run.events.unlink()
        started.append(subprocess.Popen([*FAKE_TRAINER, *options, str(run.path)], start_new_session=True))
        wait_until(lambda: run.events.exists() and b'"step"' in run.events.read_bytes(), "it trains")
        return run, started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture
def screen():
    opened = []

    def open_screen(*arguments: str) -> Terminal:
        opened.append(Terminal([*DBTUI, *arguments]))
        return opened[-1]

    yield open_screen
    for each in opened:
        each.close()


@pytest.fixture
def call(capsys):
    """Run a command line in this process; it is no terminal."""

    def run_it(*arguments: str) -> Told:
        capsys.readouterr()
        code = run_command_line(list(arguments))
        return Told(code, *capsys.readouterr())

    return run_it


class Told(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def test_connections_that_are_killed_leave_no_gap_and_double_nothing(reachable, trained):
    run, trainer = trained("--steps", "150", "--delay", "0.03")
    target = f"box:{run.path}"
    plain = subprocess.Popen(
        [*DBTUI, "attach", target], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(plain.stdout), daemon=True)
    reader.start()
    link = Link(Session(parse_target(target)))
    link.catch_up()
    link.start()
    got = []
    wait_until(lambda: any("training" in line for line in said), "the plain viewer is there")
    for _ in range(2):
        reachable.cut()
        wait_until(lambda: link.is_lost, "the connection is lost")
        wait_until(lambda: not link.is_lost, "it is there again")
        got += link.take()
    assert trainer.wait(60) == 0
    wanted = EventReader(run.events).poll()
    wait_until(lambda: got.extend(link.take()) or len(got) >= len(wanted), "everything came")
    link.close()
    assert got == wanted
    assert plain.wait(60) == 0
    reader.join(10)
    assert "is done: 150 steps" in "".join(said)
    told = [line for line in said if not line.startswith("connection lost") and "there again" not in line]
    assert any(line.startswith("connection lost (") for line in said)
    assert len(told) == len(set(told))


def test_the_dashboard_with_keys_and_a_connection_that_is_killed(reachable, trained, screen):
    run, trainer = trained("--steps", "100000")
    viewer = screen("attach", f"box:{run.path}")
    viewer.wait_for("on box")
    viewer.wait_for("training")
    viewer.type("s")
    viewer.wait_for("save at step")
    reachable.cut()
    viewer.wait_for("connection lost (")
    viewer.type("p")  # which is not sent, not even later
    count = len(EventReader(run.events).poll())
    began = time.monotonic()
    while "preview at step" not in viewer.text:  # until it is connected again
        assert time.monotonic() < began + 30
        viewer.type("v")
        time.sleep(0.5)
    assert not any(each.get("command") == "pause" for each in EventReader(run.events).poll()[count:])
    viewer.type("d")
    assert viewer.end() == 0
    assert viewer.is_put_back()
    assert f"dbtui attach 'box:{run.path}'".replace("it's", "it'\"'\"'s") in viewer.text.replace("\r\n", "")
    assert is_alive(run)
    viewer = screen("attach", f"box:{run.path}")
    viewer.wait_for("training")
    viewer.type("x")
    assert viewer.end() == 75
    assert trainer.wait(20) == 75
    assert "stopped at step" in viewer.text


def test_ssh_may_ask_on_a_terminal_and_fails_elsewhere(reachable, trained, screen, call):
    run, _ = trained("--steps", "100000")
    refused = call("attach", f"stranger:{run.path}")
    assert refused.returncode == 1
    assert "error: no connection to stranger (Host key verification failed)" in refused.stderr
    assert "Traceback" not in refused.stderr
    viewer = screen("attach", f"stranger:{run.path}")
    viewer.wait_for("authenticity of host")
    viewer.type("yes\n")
    viewer.wait_for("training")
    viewer.process.send_signal(signal.SIGTERM)
    assert viewer.end() == 0
    assert viewer.is_put_back()


def test_ctrl_c_while_ssh_asks(reachable, make_run, screen):
    run = make_run()
    (reachable.folder / "met_before").unlink(missing_ok=True)
    viewer = screen("fetch", f"stranger:{run.path}", str(run.path.parent / "copy"))
    viewer.wait_for("authenticity of host")
    viewer.type("\x03")
    assert viewer.end() == 75
    assert not (run.path.parent / "copy").exists()
    mode = termios.tcgetattr(viewer.master)
    assert mode[3] & termios.ECHO


def test_a_live_run_is_fetched_and_read_here(reachable, trained, tmp_path, call):
    run, trainer = trained("--steps", "100000")
    name = os.fsdecode(b"\x81\xff $(touch canary) ")
    (run.path / "output" / name).write_bytes(os.urandom(1_000_000))
    here = tmp_path / "here"
    fetched = call("fetch", f"box:{run.path}", "--runs-dir", str(here), "--json")
    assert fetched.returncode == 0, fetched.stderr
    told = json.loads(fetched.stdout)
    assert (told["state"], told["verified"], told["path"]) == ("running", True, str(here / run.name))
    copy = here / run.name
    assert (copy / "output" / name).read_bytes() == (run.path / "output" / name).read_bytes()
    assert run.events.read_bytes().startswith((copy / "events.jsonl").read_bytes())
    assert not (copy / "checkpoints").exists()
    listed = json.loads(call("runs", "--runs-dir", str(here), "--json").stdout)
    assert [(each["name"], each["state"]) for each in listed] == [(run.name, "fetched")]
    assert listed[0]["fetched_from"] == f"box:{run.path}"
    shown = call("attach", str(copy))
    assert shown.returncode == 0
    assert "a copy of a run that box was still training" in shown.stdout
    assert "stop it there, then fetch it again with --checkpoints" in call("resume", str(copy)).stderr
    assert call("report", str(copy)).returncode == 0

    trainer.send_signal(signal.SIGTERM)
    trainer.wait(20)
    again = call("fetch", f"box:{run.path}", "--runs-dir", str(here), "--checkpoints")
    assert "it was stopped then" in again.stderr
    assert (copy / "checkpoints" / "000020" / "state.safetensors").exists()
    shown = call("attach", str(copy))
    assert shown.returncode == 75
    model = next((copy / "output").glob("step-*"))
    assert f"model     {model}" in shown.stdout
    assert not list(tmp_path.rglob("canary"))
    shutil.rmtree(here)
