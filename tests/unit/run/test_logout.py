import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbtui.runs import logout

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
SERVICE = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1.scope\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine: in which control group this process is, and what logind says (nothing: it does not answer)."""

    def make(group: str, answer: str | None = None, files: dict[str, str] | None = None) -> Path:
        tools, root = tmp_path / "tools", tmp_path / "root"
        tools.mkdir(exist_ok=True)
        body = "exit 1" if answer is None else f"cat <<'END'\n{answer}\nEND"
        (tools / "busctl").write_text(f"#!/bin/sh\n{body}\n")
        (tools / "busctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        monkeypatch.setattr(logout, "_user", lambda: "ann")
        for name, text in {"proc/self/cgroup": group, **(files or {})}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return make


@pytest.mark.parametrize(
    ("group", "answer", "is_killed"),
    [
        (SESSION, 'b true\nas 0\nas 1 "root"', True),
        (SESSION, 'b true\nas 0\nas 2 "root" "ann"', False),
        (SESSION, 'b true\nas 1 "bob"\nas 0', False),
        (SESSION, 'b true\nas 1 "ann"\nas 0', True),
        (SESSION, 'b false\nas 0\nas 1 "root"', False),
        (SERVICE, 'b true\nas 0\nas 1 "root"', False),
    ],
)
def test_logind_decides(system, group: str, answer: str, is_killed: bool):
    warning = logout.logout_warning(system(group, answer))
    assert bool(warning) is is_killed
    assert ("systemd-run --user --scope dbtui run" in warning) is is_killed


def test_without_an_answer_its_files_decide_and_the_last_one_wins(system):
    root = system(SESSION, None, {"usr/lib/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"})
    assert logout.logout_warning(root) == ""
    system(SESSION, None, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"})
    assert logout.logout_warning(root)
    system(SESSION, None, {"etc/systemd/logind.conf.d/90.conf": "[Login]\nKillUserProcesses = no\n"})
    assert logout.logout_warning(root) == ""


def test_a_machine_without_systemd(tmp_path: Path):
    assert logout.logout_warning(tmp_path) == ""


def test_a_command_that_is_stopped_before_the_training_begins():
    program = """
import sys, time
from dbtui.cli.app import run, app
from dbtui.cli.stoppable import stoppable
@app.command("plan-for-long")
def plan_for_long() -> None:
    with stoppable():
        print("ready", flush=True)
        time.sleep(60)
sys.exit(run(["plan-for-long"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 75
    assert said == "error: stopped by SIGTERM before the training began; the same command starts it again\n"
