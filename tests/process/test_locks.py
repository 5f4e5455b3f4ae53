"""One trainer to a run, and one run to a name of models: with real processes, here and as if elsewhere."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer_core.config.tables.output import Save
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import create_run
from trainer_core.run.lock import lock_holder
from trainer_core.run.output_lock import output_held

HOLD_OUTPUT = """
import sys, time
from pathlib import Path
from trainer_core.config.tables.output import Save
from trainer_core.run.directory import RunDirectory
from trainer_core.run.output_lock import output_held
with output_held(Save(output_dir=sys.argv[1], output_name=sys.argv[2] or None), RunDirectory(Path("/runs/first"))):
    print("held", flush=True)
    sys.stdin.read()
"""
WITHOUT_FLOCK = """
import errno, fcntl, sys, time
from pathlib import Path
from trainer_core.errors import UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire
def unsupported(*_): raise OSError(errno.ENOSYS, "no locks")
fcntl.flock = unsupported
sys.stdin.readline()
try:
    lock = acquire(RunDirectory(Path(sys.argv[1])))
except UserError as error:
    print(int(error.code), flush=True)
    sys.exit()
time.sleep(1)
print("held" if lock.is_mine() else "lost", flush=True)
sys.stdin.read()
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.row(34)
def test_a_second_start_names_the_first(dbtui, trainer, run):
    first = trainer("--steps", "100000")
    again = dbtui("resume", run.path)
    assert again.returncode == 9
    assert again.stdout == ""
    assert again.stderr.startswith(f"error: sls-frog-1 is being trained by process {first.pid} on ")
    assert "seconds: watch it with: dbtui attach" in again.stderr
    assert first.poll() is None


@pytest.mark.row(36)
def test_a_run_that_another_machine_has_is_taken_over_when_it_is_gone(dbtui, another, run, wait, state):
    _, lost = another(run.name, "--steps", "100000", "--host", "gone-for-good")
    refused = dbtui("resume", run.path)
    assert refused.returncode == 9
    assert f"process {lost.pid} on gone-for-good" in refused.stderr
    assert f"dbtui resume {run.path} --take-over" in refused.stderr
    assert lost.poll() is None
    before = state().step
    _, new = another(run.name, "--steps", "100000", "--take-over")
    assert lost.wait(20) == 9  # it comes back, finds another's name in the lock, and leaves
    assert "took this run over" in run.console_log.read_text()
    assert new.poll() is None
    holder = lock_holder(run)
    assert holder is not None
    assert holder.pid == new.pid
    wait(lambda: state().step != before, "the new one trains")


@pytest.mark.row(36)
def test_a_trainer_of_this_machine_is_not_taken_over(dbtui, trainer, run):
    first = trainer("--steps", "100000")
    second = subprocess.run([*first.args[:-1], "--take-over", first.args[-1]], capture_output=True, timeout=60)
    assert second.returncode == 9
    assert f"process {first.pid}".encode() in second.stderr
    assert dbtui("resume", run.path, "--take-over").returncode == 9
    assert first.poll() is None


@pytest.mark.row(34)
@pytest.mark.parametrize("name", ["frog", ""])
def test_two_runs_that_would_write_the_same_models(run, tmp_path: Path, name: str):
    folder, save = tmp_path / "models", Save(output_dir=str(tmp_path / "models"), output_name=name or None)
    first = python(HOLD_OUTPUT, folder, name)
    assert first.stdout
    assert first.stdout.readline() == "held\n"
    try:
        with (
            pytest.raises(UserError, match=f"process {first.pid} on .* is training another run") as caught,
            output_held(save, run),
        ):
            pass
        assert caught.value.code is ExitCode.LOCKED
        assert f'("{name or "last"}")' in str(caught.value)
        with output_held(Save(output_dir=str(folder), output_name="other"), run), output_held(Save(), run):
            pass
    finally:
        first.communicate("")
    assert list(folder.iterdir()) == []  # nothing of ours stays among the models
    with output_held(save, run):
        pass


def test_a_killed_run_does_not_keep_its_folder_of_models(run, tmp_path: Path):
    first = python(HOLD_OUTPUT, tmp_path, "frog")
    assert first.stdout
    assert first.stdout.readline() == "held\n"
    first.kill()
    first.communicate()
    with output_held(Save(output_dir=str(tmp_path), output_name="frog"), run):
        pass


def test_a_folder_of_models_that_cannot_be_written(run, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"save\.output_dir") as caught,
        output_held(Save(output_dir=str(tmp_path / "file")), run),
    ):
        pass
    assert caught.value.code is ExitCode.DISK


def test_without_flock_one_of_many_gets_the_run(tmp_path: Path):
    run = create_run(tmp_path, "run-1", "")
    starters = [python(WITHOUT_FLOCK, run.path) for _ in range(4)]
    time.sleep(0.2)
    for process in starters:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = []
    for process in starters:
        assert process.stdout
        said.append(process.stdout.readline().strip())
    for process in starters:
        process.communicate()
    assert said.count("held") == 1
    assert set(said) <= {"held", "lost", "9"}
