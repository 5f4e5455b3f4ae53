"""What is spoken with the other side: through noisy login scripts, with hostile answers, and when it ends."""

import os
import subprocess
import sys

import pytest

from dbtui.remote.session import LostError, OtherSideError, Session
from dbtui.remote.standing import Machine, Sight
from dbtui.remote.target import Target
from dbtui.runs.find import choose_run
from tests.remote.conftest import add_events
from tests.remote.test_target import AWKWARD
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.flock import Standing
from trainer_core.run.lock import acquire
from trainer_core.run.process import ProcessIdentity

ANSWERS = """#!{python}
import re, sys
program = sys.stdin.buffer.readline()
mark = re.search(rb"mark='([0-9a-f]+)'", program)[1]
out = sys.stdout.buffer
def say(data, status=b"0"):
    out.write(data + b"\\n" + mark + b" " + status + b"\\n")
    out.flush()
{answers}
"""
"""An ssh whose other side answers as a test wants it to."""


@pytest.fixture
def hostile(pretended):
    def make(answers: str) -> None:
        pretended(ANSWERS.format(python=sys.executable, answers=answers))

    return make


@pytest.mark.parametrize("name", AWKWARD)
def test_a_run_whose_path_is_awkward(far, make_run, name: str):
    run = make_run("a", folder=far.folder / name)
    with Session(Target("box", f"{far.folder}/{name}/a")) as session:
        assert session.ask("get 0 10000 ./run.toml|").data == run.run_toml.read_bytes()
        seen = Sight.from_answer(session.ask("look 0 1000000 0|").data)
    assert seen.events == run.events.read_bytes()
    assert not list(far.folder.rglob("canary"))


def test_paths_begin_at_the_home_folder_and_may_name_a_file_of_the_run(far, make_run):
    make_run()
    for path in ("runs/sls-frog-1", "~/runs/sls-frog-1/", "runs/sls-frog-1/events.jsonl"):
        with Session(Target("box", path)) as session:
            assert Machine.from_answer(session.ask("who").data).folder == str(far.folder / "runs" / "sls-frog-1")


def test_login_scripts_may_talk(pretended, make_run):
    far = pretended(shell="sh -c 'echo Welcome; cd /; echo loud >&2; exec sh \"$@\"' sh")
    make_run()
    with Session(Target("box", "runs/sls-frog-1")) as session:
        assert session.ask("get 0 4 ./console.log|").data == b"load"
    assert far.folder.exists()


def test_what_the_other_side_says_of_a_live_run(far, make_run):
    run = make_run()
    lock = acquire(run)
    with Session(Target("box", str(run.path))) as session:
        machine = Machine.from_answer(session.ask("who").data)
        seen = Sight.from_answer(session.ask(f"look 0 100 {os.getpid()}|").data)
        assert seen.holder == ProcessIdentity.mine()
        assert seen.standing(machine) is Standing.HERE
        lock.release()
        assert Sight.from_answer(session.ask("look 0 100 0|").data).standing(machine) is Standing.FREE
    assert seen.events_size == run.events.stat().st_size
    assert len(seen.events) == 100
    assert 0 <= seen.silence < 60


def test_a_look_changes_nothing(far, make_run):
    run = make_run()
    before = sorted(run.path.rglob("*"))
    with Session(Target("box", str(run.path))) as session:
        for request in ("who", "look 0 100 1|", "facts", "list all", "log", "sum 5 - ./run.toml|", "nonsense"):
            session.ask(request)
    assert sorted(run.path.rglob("*")) == before


def test_the_newest_configuration_is_read(far, make_run):
    run = make_run()
    for name in ("run.2.toml", "run.10.toml", "run.9.toml", "run.x.toml"):
        (run.path / name).write_text(f'name = "{name}"')
    with Session(Target("box", str(run.path))) as session:
        configuration, _, process = session.ask("facts").data.partition(session.divider)
    assert (configuration, process) == (b'name = "run.10.toml"', b"")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "there is no such folder (a path without / in front begins at the home folder)"),
        ("runs", "it holds no run.toml; it holds the runs sls-frog-1: name one of them"),
        (".", "it holds no run.toml"),
    ],
)
def test_where_no_run_is(far, make_run, path: str, words: str):
    make_run()
    with pytest.raises(UserError) as caught:
        Session(Target("box", path))
    assert words in caught.value.problems[0]
    assert caught.value.code is ExitCode.CONFIG


def test_no_connection(pretended, monkeypatch):
    pretended("#!/bin/sh\necho 'ssh: connect to host box port 22: \x1b]0;x\x07refused' >&2\nexit 255\n")
    with pytest.raises(LostError) as caught:
        Session(Target("box", "a"))
    assert str(caught.value) == r"ssh: connect to host box port 22: \x1b]0;x\x07refused"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="there is no ssh here"):
        Session(Target("box", "a"))


def test_the_connection_ends_in_the_middle(far, make_run):
    run = make_run()
    with Session(Target("box", str(run.path))) as session:
        assert session.ask("who").status == 0
        far.cut()
        with pytest.raises(LostError):
            session.ask("who")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ("while True: out.write(b'x' * 65536)", "more than it was asked for"),
        ("say(b'hi'); say(b'', b'0'); say(b'x' * 2000000); sys.stdin.read()", "more than it was asked for"),
        (
            "say(b'hi'); say(b''); out.write(b'\\n' + mark + b' ' + b'9' * 99); out.flush(); sys.stdin.read()",
            "no way",
        ),
        ("say(b'hi'); say(b'', b'77'); sys.stdin.read()", "answers with 77"),
    ],
)
def test_hostile_answers(hostile, answers: str, error: str):
    hostile(answers)
    with pytest.raises(OtherSideError, match=error), Session(Target("box", "a")) as session:
        session.ask("who", most=1000)


def test_a_file_is_never_more_than_was_asked_for(hostile):
    hostile("say(b'hi'); say(b''); say(b'y' * 100001); sys.stdin.read()")
    got = []
    with Session(Target("box", "a")) as session, pytest.raises(OtherSideError):
        session.receive_into(got.append, 100_000)
    assert sum(map(len, got)) <= 100_000


def test_other_commands_say_that_they_do_not_reach_there(tmp_path):
    with pytest.raises(UserError, match="only `dbtui attach` and `dbtui fetch` reach there") as caught:
        choose_run(tmp_path, "me@box:runs/a")
    assert caught.value.code is ExitCode.CONFIG


def test_a_command_is_one_line_with_the_time_there(far, make_run, tmp_path):
    run = make_run()
    run.control.write_bytes(b'{"torn')
    clock = tmp_path / "far" / "bin" / "date"
    clock.write_text("#!/bin/sh\ncase $1 in +%s.%N) echo 1800000000.5 ;; *) echo 1800000000 ;; esac\n")
    clock.chmod(0o755)
    with Session(Target("box", str(run.path))) as session:
        assert session.ask("say save abc123").status == 0
        clock.write_text("#!/bin/sh\ncase $1 in +%s.%N) echo 1800000000.N ;; *) echo 1800000000 ;; esac\n")
        assert session.ask("say stop def456").status == 0
    lines = run.control.read_text().split("\n")
    assert lines == [
        '{"torn',
        '{"id":"abc123","kind":"save","args":{},"t":1800000000.5}',
        '{"id":"def456","kind":"stop","args":{},"t":1800000000.999}',
        "",
    ]


def test_a_command_that_cannot_be_written_is_told(far, make_run):
    run = make_run()
    run.control.symlink_to("/dev/full")
    with Session(Target("box", str(run.path))) as session:
        assert session.ask("say save abc123").status != 0


def test_without_flock_and_sums_there(far, make_run, monkeypatch, tmp_path):
    """A system with little on it: the process tells whether the run lives, and nothing can be summed up."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "head", "tail", "cat", "date", "cksum", "wc", "grep", "uname", "tr", "id", "dd", "find"):
        found = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        (tools / name).symlink_to(found.stdout.strip())
    run = make_run()
    lock = acquire(run)
    monkeypatch.setenv("PATH", f"{far.folder / 'bin'}:{tools}")
    with Session(Target("box", str(run.path))) as session:
        machine = Machine.from_answer(session.ask("who").data)
        seen = Sight.from_answer(session.ask(f"look 0 1000000 {os.getpid()}|").data)
        assert session.ask("sum 5 - ./run.toml|").data.strip() == b"none"
        assert f"{run.run_toml.stat().st_size} 0 ./run.toml" in session.ask("list some").data.decode()
    assert seen.held == "unknown"
    assert seen.standing(machine) is Standing.HERE
    assert seen.events_size == run.events.stat().st_size == len(seen.events)
    lock.release()
    add_events(run, {"kind": "x"})
