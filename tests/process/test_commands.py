"""`dbtui stop`, `save`, `sample`, `pause` and `resume` of live runs: what is asked, answered and told."""

import json

import pytest

from trainer_core.run.directory import create_run
from trainer_core.run.lock import is_alive


def test_commands_are_answered(dbtui, trainer, run, state):
    process = trainer()
    for kind in ("save", "sample", "stop"):
        done = dbtui(kind, run.path, "--json")
        answer = json.loads(done.stdout)
        assert done.returncode == 0
        assert (answer["run"], answer["command"], answer["ok"]) == ("sls-frog-1", kind, True)
        assert answer["text"].startswith(f"{kind} at step ")
    assert process.wait(20) == 75
    assert state().previews
    assert {each.kind for each in state().written} == {"saved"}


def test_a_pause_is_shown_and_a_resume_ends_it(dbtui, trainer, run, state, wait):
    trainer("--steps", "100000")
    paused = dbtui("pause", run.path)
    assert (paused.returncode, paused.stdout) == (0, "")
    assert "sls-frog-1: pause at step" in paused.stderr
    wait(lambda: state().is_paused, "it is paused")
    at = state().step
    told = json.loads(dbtui("runs", "--runs-dir", run.path.parent, "--json").stdout)
    assert told[0]["state"] == "paused"
    assert "‖ sls-frog-1  paused" in dbtui("runs", "--runs-dir", run.path.parent).stdout
    resumed = dbtui("resume", run.path, "--detach")
    assert resumed.returncode == 0
    assert "unpause" in resumed.stderr
    wait(lambda: state().step > at, "the training goes on")
    running = dbtui("resume", run.path, "--detach")
    assert running.returncode == 9
    assert "is being trained by process" in running.stderr
    assert "dbtui attach" in running.stderr


def test_several_runs_and_all_of_them(dbtui, run, wait, several):
    first, second = several
    named = dbtui("save", first[0].path, second[0].path, "--json")
    assert named.returncode == 0
    assert [json.loads(line)["run"] for line in named.stdout.splitlines()] == ["sls-frog-1", "cat-1"]
    create_run(run.path.parent, "idle-1", "")
    mixed = dbtui("save", "idle-1", "cat-1", "--runs-dir", run.path.parent)
    assert mixed.returncode == 2
    assert "idle-1 has not been started" in mixed.stderr
    assert "cat-1: save at step" in mixed.stderr
    stopped = dbtui("stop", "--all", "--wait", "--runs-dir", run.path.parent)
    assert stopped.returncode == 0
    assert not is_alive(first[0])
    assert not is_alive(second[0])
    assert {first[1].wait(20), second[1].wait(20)} == {75}
    nobody = dbtui("stop", "--all", "--runs-dir", run.path.parent)
    assert (nobody.returncode, "is live" in nobody.stderr) == (0, True)
    assert dbtui("stop", "cat-1", "--all", "--runs-dir", run.path.parent).returncode == 2


@pytest.fixture
def several(run, trainer, another):
    """Two runs of one folder, both trained."""
    return (run, trainer()), another("cat-1")


def test_a_trainer_that_does_not_answer_in_time(dbtui, trainer, run, state, wait):
    process = trainer("--saving", "6")
    dbtui("save", run.path)
    wait(lambda: state().phase == "save", "it saves")
    silent = dbtui("sample", run.path, "--timeout", "0.3", "--json")
    assert silent.returncode == 1
    assert json.loads(silent.stdout)["outcome"] == "silent"
    assert "no answer in 0 s" in json.loads(silent.stdout)["text"]
    wait(lambda: state().previews, "the command is obeyed all the same")
    process.kill()
    process.wait()
    assert dbtui("stop", run.path).returncode == 2


def test_a_run_that_ends_instead_of_answering(dbtui, trainer, run, wait, state):
    process = trainer("--steps", "20", "--saving", "6")
    wait(lambda: state().phase == "save", "it saves for the last time")
    done = dbtui("save", run.path)
    assert done.returncode == 1
    assert "ended before it answered" in done.stderr
    process.wait(20)
    over = dbtui("stop", run.path)
    assert over.returncode == 2
    assert over.stderr == "error: sls-frog-1 is done: there is no trainer to stop it\n"


@pytest.mark.parametrize("kind", ["stop", "save", "sample", "pause"])
def test_commands_to_a_run_that_is_not_live_are_refused(dbtui, run, kind: str):
    done = dbtui(kind, run.path)
    assert done.returncode == 2
    assert f"has not been started: there is no trainer to {kind} it" in done.stderr
    assert "dbtui resume" in done.stderr
    assert not run.control.exists()


def test_a_command_that_cannot_be_written_says_so(dbtui, trainer, run):
    trainer("--steps", "100000")
    run.control.unlink(missing_ok=True)
    run.control.mkdir()
    done = dbtui("save", run.path)
    assert done.returncode == 6
    assert "control.jsonl cannot be written" in done.stderr
