"""`dbtui runs`: the list of runs as it stands, from real processes and from files."""

import fcntl
import json
import os
import re
import signal
import time

import pytest

from dbtui.runs.find import choose_run
from dbtui.runs.follow import Follower
from dbtui.runs.summary import summarize
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lines import encode_line
from trainer_core.run.process import ProcessIdentity


@pytest.fixture
def listed(dbtui, run):
    """Return the runs of the folder as `dbtui runs --json` tells them, by name."""

    def read() -> dict[str, dict]:
        done = dbtui("runs", "--runs-dir", run.path.parent, "--json")
        assert done.returncode == 0
        return {each["name"]: each for each in json.loads(done.stdout)}

    return read


def write_events(run: RunDirectory, *events: dict, ago: float = 0.0) -> None:
    now = time.time() - ago
    with run.events.open("ab") as file:
        for event in events:
            file.write(encode_line({"t": now, "mono": 1.0, **event}))


def steps(first: int, last: int) -> list[dict]:
    return [
        {"kind": "step", "step": step, "epoch": 1, "loss": 0.1, "mono": step * 0.5}
        for step in range(first, last + 1)
    ]


BEGIN = [
    {"kind": "format", "version": 1, "run": "x", "started": 1.8e9},
    {"kind": "phase", "name": "train", "total": 900, "epochs": 3, "steps_per_epoch": 300},
]


def test_what_is_told_of_a_live_run(listed, trainer, run):
    process = trainer("--steps", "100000")
    told = listed()["sls-frog-1"]
    assert (told["state"], told["phase"], told["total_steps"]) == ("running", "train", 100000)
    assert told["step"] == told["lifetime_steps"] > 0
    assert told["path"] == str(run.path)
    assert (told["pid"], told["is_elsewhere"]) == (process.pid, False)
    assert 0 <= told["silent_seconds"] < 10
    assert 0 <= told["age_seconds"] < 60
    assert told["loss"] > 0
    assert told["eta_seconds"] > 0
    assert told["exit_code"] is None


@pytest.mark.row(10)
def test_a_suspended_run_is_stalled_not_dead_and_goes_on(dbtui, listed, trainer, run, state, wait):
    process = trainer()
    process.send_signal(signal.SIGSTOP)
    wait(lambda: listed()["sls-frog-1"]["state"] == "stalled", "it is shown as stalled")
    assert "no news for" in dbtui("runs", "--runs-dir", run.path.parent).stdout
    silent = dbtui("save", run.path, "--timeout", "0.5")
    assert silent.returncode == 1
    assert f"kill -CONT {process.pid}" in silent.stderr
    before = state().step
    process.send_signal(signal.SIGCONT)
    wait(lambda: state().step > before + 5, "the training goes on")
    assert listed()["sls-frog-1"]["state"] == "running"
    assert state().written  # the save that was asked for meanwhile


def test_past_runs(listed, dbtui, run):
    ends = {"done": 0, "stopped": 75, "failed": 8}
    for name, code in ends.items():
        ended = create_run(run.path.parent, name, "")
        write_events(
            ended, *BEGIN, *steps(1, 300), {"kind": "failed", "exit_code": code, "text": "why", "step": 300}
        )
    crashed = create_run(run.path.parent, "crashed", "")
    write_events(crashed, *BEGIN, *steps(1, 300))
    told = listed()
    assert {name: told[name]["state"] for name in (*ends, "crashed")} == {
        "done": "done",
        "stopped": "stopped",
        "failed": "failed",
        "crashed": "crashed",
    }
    assert told["sls-frog-1"]["state"] == "not started"
    assert (told["failed"]["exit_code"], told["failed"]["text"]) == (8, "why")
    assert told["crashed"]["silent_seconds"] is told["crashed"]["pid"] is None
    table = dbtui("runs", "--runs-dir", run.path.parent).stdout
    for words in ("✓ done", "■ stopped", "✗ failed", "✗ crashed", "· sls-frog-1", "step 300/900"):
        assert words in table


def test_the_lifetime_counts_what_a_resume_did_anew(listed, run):
    write_events(run, *BEGIN, *steps(1, 400))
    write_events(run, BEGIN[1], {"kind": "resumed", "from_step": 300, "run_file": "run.toml"}, *steps(301, 500))
    told = listed()["sls-frog-1"]
    assert (told["step"], told["lifetime_steps"], told["lifetime_epochs"]) == (500, 600, 2.0)


def test_how_long_nothing_was_heard_is_known_at_once(run):
    """A viewer that comes after ten minutes of silence says ten minutes; what comes while it looks is news."""
    write_events(run, *BEGIN, *steps(1, 5))
    ten_minutes_ago = time.time() - 600
    os.utime(run.events, (ten_minutes_ago, ten_minutes_ago))
    follower = Follower(run)
    follower.poll()
    assert 599 < follower.silence < 660
    write_events(run, *steps(6, 6))
    os.utime(run.events, (ten_minutes_ago, ten_minutes_ago))  # a shared disk with a clock of its own
    follower.poll()
    assert follower.silence < 60


def test_of_a_long_run_only_the_ends_are_folded_and_every_step_is_counted(run):
    long = [dict(event, note="x" * 200) for event in steps(1, 20_000)]
    write_events(run, *BEGIN, *long, {"kind": "resumed", "from_step": 19_000}, *steps(19_001, 19_500))
    assert run.events.stat().st_size > 4 << 20
    began = time.thread_time()
    summary = summarize(run)
    assert time.thread_time() - began < 2
    assert (summary.state.step, summary.lifetime_steps, summary.total_steps) == (19_500, 20_500, 900)


def test_a_run_of_another_host_is_told(listed, dbtui, run):
    write_events(run, *BEGIN, *steps(1, 5))
    holder = json.loads(ProcessIdentity.mine().to_json()) | {"host": "gpu-box-2", "boot_id": "another", "pid": 7}
    run.lock.write_text(json.dumps(holder))
    with run.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        told = listed()["sls-frog-1"]
        assert (told["state"], told["host"], told["is_elsewhere"]) == ("running", "gpu-box-2", True)
        assert "on gpu-box-2" in dbtui("runs", "--runs-dir", run.path.parent).stdout
        shown = dbtui("resume", run.path)
        assert shown.returncode == 9
        assert "process 7 on gpu-box-2" in shown.stderr
        assert "--take-over" in shown.stderr


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("sls-forg-1", "did you mean sls-frog-1?"),
        ("sls", "did you mean sls-frog-1?"),
        ("SLS-Frog-1", "did you mean sls-frog-1?"),
        ("cat-", "did you mean cat-"),
        ("zebra", "there are "),
        ("\x1b[31m", 'no run "\\x1b[31m"'),
    ],
)
def test_a_name_that_is_not_there_brings_those_that_are_like_it(run, wanted: str, words: str):
    create_run(run.path.parent, "cat-1", "")
    create_run(run.path.parent, "cat-2", "")
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        choose_run(run.path.parent, wanted)
    assert caught.value.code is ExitCode.CONFIG


def test_a_run_is_chosen_by_name_by_path_and_by_its_files(run, tmp_path, monkeypatch):
    newer = create_run(run.path.parent, "newer-1", "")
    os.utime(run.run_toml, (1.0, 1.0))
    write_events(run, *BEGIN)
    monkeypatch.chdir(run.path)
    for wanted in ("sls-frog-1", str(run.path), f"{run.path}/", str(run.events), ".", "run.toml"):
        assert choose_run(run.path.parent, wanted).path.resolve() == run.path.resolve()
    assert choose_run(run.path.parent, None) == newer
    with pytest.raises(UserError, match=r"holds no run\.toml"):
        choose_run(run.path.parent, str(tmp_path))
    with pytest.raises(UserError, match="there are no runs in"):
        choose_run(tmp_path / "none", None)
