import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire, is_alive, lock_holder
from trainer_core.run.process import ProcessIdentity, process_start

HOLD = """
import sys, time
from pathlib import Path
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire
lock = acquire(RunDirectory(Path(sys.argv[1])))
print("held", flush=True)
{then}
time.sleep(60)
"""
LEAVE_A_CHILD = "import os\nif os.fork():\n    os._exit(0)"


@contextmanager
def holder(run: RunDirectory, then: str = "") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLD.format(then=then), str(run.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def test_a_run_without_a_lock_is_not_alive(run: RunDirectory):
    assert not is_alive(run)
    assert lock_holder(run) is None


@pytest.mark.row(34)
def test_the_second_trainer_is_told_who_the_first_is(run: RunDirectory):
    with holder(run) as process:
        assert is_alive(run)
        with pytest.raises(UserError) as caught:
            acquire(run)
        assert caught.value.code is ExitCode.LOCKED
        assert f"process {process.pid} on {os.uname().nodename}, for" in str(caught.value)


@pytest.mark.row(35)
def test_a_killed_trainers_lock_is_free_at_once(run: RunDirectory):
    with holder(run) as process:
        process.kill()
        process.wait()
        assert not is_alive(run)
        lock = acquire(run)
        assert is_alive(run)
        assert lock_holder(run) == ProcessIdentity.mine()
        lock.release()
        assert not is_alive(run)


def test_a_child_that_outlives_the_trainer_keeps_the_lock_but_is_no_trainer(run: RunDirectory):
    with holder(run, LEAVE_A_CHILD) as process:
        process.wait()
        assert not is_alive(run)
        with pytest.raises(UserError, match="what is left of process"):
            acquire(run)


def forge(run: RunDirectory, **changes: object) -> None:
    identity = json.loads(ProcessIdentity.mine().to_json())
    run.lock.write_text(json.dumps(identity | changes))


@pytest.mark.row(35)
@pytest.mark.parametrize("changes", [{"start": "1"}, {"boot_id": "another boot"}, {"pid": 4_000_000}])
def test_a_pid_used_again_is_not_the_trainer(run: RunDirectory, changes: dict[str, object]):
    forge(run, **changes)
    assert not is_alive(run)
    acquire(run).release()


@pytest.mark.row(36)
def test_a_held_lock_of_another_machine_counts_as_alive(run: RunDirectory):
    forge(run, host="elsewhere", pid=1)
    with run.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_alive(run)
        with pytest.raises(UserError, match="on elsewhere") as caught:
            acquire(run)
    assert f"dbtui resume {run.path} --take-over" in str(caught.value)


@pytest.mark.parametrize(("is_shared", "is_free"), [(False, True), (True, False)])
def test_a_free_lock_that_names_another_machine(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, is_shared: bool, is_free: bool
):
    """A local disk was moved here with its machine gone; on a shared one flock may not reach the other machine."""
    monkeypatch.setattr("trainer_core.run.flock.lock_tells_all", lambda _: not is_shared)
    forge(run, host="pod-1", boot_id="another boot", pid=1)
    assert is_alive(run) is not is_free
    if is_free:
        acquire(run).release()
        return
    with pytest.raises(UserError, match="--take-over"):
        acquire(run)
    taken = acquire(run, take_over=True)
    assert lock_holder(run) == ProcessIdentity.mine()
    assert taken.is_mine()
    forge(run, host="pod-2")
    assert not taken.is_mine()
    taken.release()


def test_a_released_lock_leaves_no_doubt_to_other_machines(run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    acquire(run).release()
    monkeypatch.setattr(socket, "gethostname", lambda: "pod-2")
    monkeypatch.setattr("trainer_core.run.flock.lock_tells_all", lambda _: False)
    assert not is_alive(run)
    acquire(run).release()


def test_a_machine_that_gets_another_name_keeps_its_run(run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    lock = acquire(run)
    monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
    assert lock.is_mine()
    assert is_alive(run)
    lock.release()
    acquire(run).release()


def test_two_containers_of_one_machine_and_name(run: RunDirectory):
    """They share boot and host name but not the process ids: a pid that is not there proves nothing."""
    forge(run, pid_ns="pid:[1]", pid=4_000_000)
    with run.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_alive(run)
        with pytest.raises(UserError, match="cannot be asked from here"):
            acquire(run)
    assert not is_alive(run)  # the same kernel: its flock tells everything
    acquire(run).release()


def test_what_is_left_of_a_trainer_is_taken_over_when_asked(run: RunDirectory):
    with holder(run, LEAVE_A_CHILD) as process:
        process.wait()
        lock = acquire(run, take_over=True)
        assert is_alive(run)
        lock.release()


def test_someone_who_only_looks_does_not_keep_a_trainer_out(run: RunDirectory):
    forge(run, pid=4_000_000)
    looker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time\nfile = open(sys.argv[1])\nfcntl.flock(file, fcntl.LOCK_SH)\n"
            "print('', flush=True)\ntime.sleep(0.2)",
            str(run.lock),
        ],
        stdout=subprocess.PIPE,
    )
    assert looker.stdout
    looker.stdout.readline()
    acquire(run).release()
    looker.communicate()


def test_without_flock_the_process_decides_and_it_is_said(run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    lock = acquire(run)
    assert "no locks" in lock.note
    assert is_alive(run)
    with pytest.raises(UserError) as caught:
        acquire(run)
    assert caught.value.code is ExitCode.LOCKED
    lock.release()
    forge(run, start="1")
    assert not is_alive(run)
    acquire(run).release()


def test_process_start_tells_processes_apart():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    time.sleep(0.02)
    try:
        assert process_start(child.pid) not in {"", process_start(os.getpid())}
        assert process_start(child.pid) == process_start(child.pid)
    finally:
        child.communicate(b"\n")
    assert process_start(child.pid) == ""
