"""`dbtui run` in a pipe, a container or a batch job; and how runs are launched, locked and found."""

import json
import os
import signal
import subprocess
import sys

import pytest

from dbtui.runs.follow import Follower
from dbtui.runs.launch import exit_code_of, launch
from trainer_core.errors import ExitCode
from trainer_core.run.lock import is_alive, lock_holder


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
    )


def test_plain_lines_to_the_end(watched):
    done = subprocess.run(watched("--steps", "30"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    for words in ("caching pictures (24)", "step 1/30", "step 30/30 (100%)", "saved step 30", "is done: 30 steps"):
        assert words in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on_and_the_end_is_waited_for(watched, state, wait, number):
    process = start(watched("--saving", "0.5"))
    wait(lambda: state().step > 3, "the trainer trains")
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 75
    assert f"{number.name}: the trainer is asked to save and stop" in output
    assert "stopped at step" in output


def test_a_scheduler_that_signals_every_process_asks_once(watched, run, state, wait):
    """Slurm and systemd do: the trainer has SIGTERM directly, and what is passed on must not be the second."""
    process = start(watched("--saving", "1.5"))
    wait(lambda: state().step > 3, "the trainer trains")
    os.kill(lock_holder(run).pid, signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 75
    assert state().ending.text == "stopped by SIGTERM"  # it has saved


def test_a_hangup_ends_only_the_viewer(watched, run, state, wait):
    process = start(watched("--steps", "100"))
    wait(lambda: state().step > 3, "the trainer trains")
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "the training goes on; come back with: dbtui attach" in output
    wait(lambda: state().ending, "the training has ended")
    assert state().ending.exit_code == 0


def test_every_stream_closed_from_the_start(run, trainer):
    trainer("--steps", "60")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    done = subprocess.run(
        [*closed, sys.executable, "-m", "dbtui", "attach", str(run.path)], timeout=60, check=False
    )
    assert done.returncode == 0


def test_a_second_signal_reaches_the_trainer_too(watched, run, state, wait):
    process = start(watched("--saving", "30"))
    wait(lambda: state().step > 3, "the trainer trains")
    process.send_signal(signal.SIGTERM)
    wait(lambda: state().phase == "save", "the trainer saves")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 75
    assert not is_alive(run)
    assert state().ending is None


def test_a_reader_that_leaves_does_not_end_the_wait(watched, state):
    process = start(watched("--steps", "60"))
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    assert state().ending.exit_code == 0


def test_a_killed_trainer_is_told_as_such(watched):
    done = subprocess.run(watched("--kill-at", "5"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "failed at step 4 (exit code 1): the trainer was ended by SIGKILL" in done.stdout
    assert "console.log" in done.stdout


@pytest.mark.row(34)
def test_a_second_trainer_is_refused(run, trainer):
    first = trainer()
    second = subprocess.run([sys.executable, *first.args[1:]], capture_output=True, text=True, timeout=30)
    assert second.returncode == 9
    assert f"process {first.pid} on {os.uname().nodename}" in second.stderr


def test_the_trainer_has_no_terminal_and_no_working_folder(run, wait):
    look = (
        "import os, sys; print(os.getsid(0) == os.getpid(), os.getcwd(), sys.stdin.read() == '',"
        " os.environ['DIFFUSERS_DISABLE_REMOTE_CODE'])"
    )
    process = launch(run, [sys.executable, "-c", look])
    assert process.wait(20) is ExitCode.DONE
    assert run.console_log.read_text() == "True / True 1\n"
    assert run.console_log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("status", "code"), [(0, 0), (7, 7), (75, 75), (-15, 75), (-2, 75), (-9, 1), (-11, 1), (137, 1), (255, 1)]
)
def test_exit_codes_are_ours_whatever_the_system_says(status: int, code: int):
    assert exit_code_of(status) == code


@pytest.mark.row(10)
def test_a_suspended_trainer_is_alive_and_goes_on(run, trainer, state, wait):
    process = trainer()
    process.send_signal(signal.SIGSTOP)
    follower = Follower(run)
    follower.poll()
    assert is_alive(run)
    assert not follower.has_ended()
    process.send_signal(signal.SIGCONT)
    before = state().step
    wait(lambda: state().step > before + 5, "the training goes on")


@pytest.mark.row(53)
def test_secrets_of_the_environment_are_in_no_file_of_the_run(watched, run, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_ThisIsTheSecret")
    monkeypatch.setenv("WANDB_API_KEY", "another-secret-value")
    subprocess.run(watched("--steps", "5"), capture_output=True, timeout=60, check=True)
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        data = path.read_bytes()
        assert b"ThisIsTheSecret" not in data
        assert b"another-secret-value" not in data
    assert json.loads(run.process_json.read_text())["gpu"]["vram_total_gb"] == 12.0
