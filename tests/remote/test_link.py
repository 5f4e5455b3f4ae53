"""A run that is watched over connections that break."""

import os
from contextlib import suppress

import pytest

from dbtui.dashboard.state import fold
from dbtui.remote import link as link_module
from dbtui.remote.follow import RemoteFollower
from dbtui.remote.link import Link
from dbtui.remote.session import Session
from dbtui.remote.target import Target
from tests.remote.conftest import add_events, wait_until
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import ControlReader
from trainer_core.run.events import EventReader
from trainer_core.run.lock import acquire


@pytest.fixture
def watched(far, make_run, monkeypatch):
    """A live run and its link, which loses no time."""
    monkeypatch.setattr(link_module, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(link_module, "_PAUSES", (0.05, 0.1))
    run = make_run()
    lock = acquire(run)
    link = Link(Session(Target("box", str(run.path))))
    link.catch_up()
    link.start()
    yield run, link, lock
    link.close()


def test_a_connection_that_breaks_leaves_no_gap_and_doubles_nothing(far, watched):
    run, link, _ = watched
    got = []
    for turn in range(6):
        for step in range(100 + turn * 50, 150 + turn * 50):
            add_events(run, {"kind": "step", "step": step, "loss": 0.2})
            if step % 17 == 0:
                got += link.take()
        if turn in {1, 3}:
            far.cut()
        if turn == 4:
            with run.events.open("ab", buffering=0) as file:
                file.write(b'{"kind":"step","st')  # the trainer dies in the middle of a line
    wait_until(lambda: not link.is_lost, "it is connected again")
    size = run.events.stat().st_size
    os.truncate(run.events, run.events.read_bytes().rfind(b"\n") + 1)  # as a resume does
    add_events(run, {"kind": "resumed", "from_step": 380}, {"kind": "step", "step": 381, "loss": 0.1})
    assert run.events.stat().st_size > size
    wanted = EventReader(run.events).poll()
    wait_until(lambda: got.extend(link.take()) or len(got) >= len(wanted), "everything came")
    assert got == wanted


def test_what_is_shown_while_there_is_no_connection(far, watched):
    run, link, _ = watched
    follower = RemoteFollower(link)
    follower.poll()
    assert (follower.status(), follower.trouble, follower.has_ended()) == ("running", "", False)
    far.go_down()
    wait_until(lambda: "No route to host" in follower.trouble, "the reason is told")
    assert follower.trouble.startswith(
        "connection lost (ssh: connect to host box port 22: No route to host), retrying"
    )
    assert follower.status() == "running"  # as it was when it was seen last
    assert not follower.has_ended()
    with pytest.raises(UserError, match="there is no connection"):
        follower.command("save")
    add_events(run, {"kind": "step", "step": 77, "loss": 0.1})
    far.come_up()
    wait_until(lambda: follower.poll() and follower.state.step == 77, "it goes on")
    assert follower.trouble == ""
    assert follower.state == fold(EventReader(run.events).poll())


def test_a_command_arrives(watched):
    run, link, _ = watched
    reader = ControlReader(run)
    RemoteFollower(link).command("save")
    commands = []
    wait_until(lambda: commands.extend(reader.poll()) or commands, "the command came")
    assert [command.kind for command in commands] == ["save"]


def test_a_command_is_not_sent_when_the_connection_comes_back(far, watched):
    run, link, _ = watched
    reader = ControlReader(run)
    far.go_down()
    for kind in ("stop", "stop", "stop"):
        with suppress(UserError):  # it is known already
            link.command(kind)
    wait_until(lambda: link.is_lost, "it is noticed")
    far.come_up()
    wait_until(lambda: not link.is_lost, "it is connected again")
    link.command("save")
    commands = []
    wait_until(lambda: commands.extend(reader.poll()) or commands, "the command came")
    assert [command.kind for command in commands] == ["save"]


def test_a_command_that_cannot_be_written_is_told(watched):
    run, link, _ = watched
    run.control.symlink_to("/dev/full")
    RemoteFollower(link).command("pause")
    wait_until(lambda: "pause cannot be asked for" in link.trouble, "it is told")
    assert not link.is_lost


def test_the_end_is_seen(watched):
    run, link, lock = watched
    follower = RemoteFollower(link)
    add_events(run, {"kind": "finished", "exit_code": 75, "text": "stopped", "step": 20, "outputs": []})
    lock.release()
    wait_until(follower.has_ended, "it has ended")
    follower.poll()
    assert (follower.status(), follower.exit_code(), follower.silent_death()) == ("stopped", ExitCode.STOPPED, "")


def test_a_trainer_that_dies_without_a_word(watched):
    run, link, lock = watched
    follower = RemoteFollower(link)
    follower.poll()
    with run.console_log.open("a") as file:
        file.write("Killed by \x1b[31msomebody\n")
    os.close(lock.held.descriptor)
    lock.held.descriptor = -1
    wait_until(follower.has_ended, "it has ended")
    wait_until(lambda: follower.last_words(), "its last words came")
    assert (follower.status(), follower.exit_code()) == ("crashed", ExitCode.FAILED)
    assert follower.last_words() == ["loading", r"Killed by \x1b[31msomebody"]


def test_a_machine_that_stops_itself_when_all_is_done(far, watched, monkeypatch):
    monkeypatch.setattr("dbtui.remote.follow._GONE_AFTER", 0.2)
    run, link, _ = watched
    follower = RemoteFollower(link)
    add_events(run, {"kind": "finished", "exit_code": 0, "text": "done", "step": 20, "outputs": []})
    wait_until(lambda: follower.poll() and follower.state.ending, "the end was heard")
    assert not follower.has_ended()
    far.go_down()
    wait_until(follower.has_ended, "the machine is gone")
    assert follower.exit_code() is ExitCode.DONE


def test_facts_are_those_of_there(watched):
    run, link, _ = watched
    facts = RemoteFollower(link).facts()
    assert (facts.name, facts.place, facts.prompts) == ("sls-frog-1", "box", ("sls frog",))
    assert facts.path == run.path
    assert facts.bring_it == f"dbtui fetch box:{run.path}"
