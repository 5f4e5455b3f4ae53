"""`dbtui run` itself, with the real trainer on the demo's tiny model."""

import os
import shutil
import signal
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtui.dashboard.state import fold
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive, lock_holder


@pytest.fixture(scope="module")
def run_file(tmp_path_factory) -> Path:
    from tests.process.tiny_demo import write_tiny_demo

    return write_tiny_demo(tmp_path_factory.mktemp("demo"))


def test_everything_that_is_missing_is_said_at_once(dbtui):
    done = dbtui("run", "sd15-8gb")
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "error"]
    assert "--model" in done.stderr
    assert "--data" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nope.toml"], 2, "nope.toml does not exist"),
        (["sd15-8bg"], 2, "did you mean sd15-8gb"),
        (["sd15-8gb", "--name", "../x"], 2, "cannot be the name of a run"),
        (["sd15-8gb", "--set", "train.max_stepps=3"], 2, "max_steps"),
    ],
)
def test_a_wrong_command_line(dbtui, arguments: list[str], code: int, words: str):
    done = dbtui("run", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_prints_the_run_file_and_makes_nothing(dbtui, run_file: Path, tmp_path: Path):
    done = dbtui("run", run_file, "--dry-run", "--set", "train.max_steps=7", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0
    assert tomllib.loads(done.stdout)["train"]["max_steps"] == 7
    assert "7 steps" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_remarks_are_said_by_the_trainer_where_it_is_watched(run_file: Path, tmp_path: Path, capsys, monkeypatch):
    from dbtui.cli import run as command

    monkeypatch.setattr(command, "start", lambda created, *, detach, several: 0)
    said = {}
    for detach in (False, True):
        options = {"runs_dir": tmp_path / "runs", "overrides": ["train.max_steps=1"], "detach": detach}
        assert command.run(str(run_file), **options) == 0
        said[detach] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert said[False] == []
    assert said[True]


def test_several_gpus_that_cannot_be_used_are_refused_before_there_is_a_run(run_file: Path, tmp_path: Path):
    from dbtui.cli.run import run
    from trainer_core.errors import UserError

    places = {"runs_dir": tmp_path / "runs", "overrides": ["train.batch_size=2"]}
    with pytest.raises(UserError, match=r"train\.batch_size = 2 leaves some"):
        run(str(run_file), gpus="3", **places)
    with pytest.raises(UserError, match="--nodes needs --name"):
        run(str(run_file), gpus="1", nodes=2, rendezvous="10.0.0.1:29500", **places)
    assert not (tmp_path / "runs").exists()


def test_a_runs_folder_that_is_no_folder(dbtui, run_file: Path, tmp_path: Path):
    (tmp_path / "runs").write_text("")
    done = dbtui("run", run_file, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 6
    assert "is not a folder" in done.stderr


def test_a_missing_model(dbtui, run_file: Path, tmp_path: Path):
    done = dbtui("run", run_file, "--model", tmp_path / "none.safetensors", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 4
    assert "none.safetensors" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def stopped(run_file: Path, tmp_path: Path) -> RunDirectory:
    """A run that was not trained yet."""
    from trainer_core.config.reader import read_config

    return create_run(tmp_path / "runs", "stopped", dump_config(read_config(run_file)))


@pytest.mark.row(13)
def test_a_resume_on_a_full_disk_starts_nothing(stopped: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    from dbtui.cli.resume import resume

    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="free") as caught:
        resume("stopped", stopped.path.parent, detach=True)
    assert caught.value.code is ExitCode.DISK
    assert not stopped.console_log.exists()


def test_a_resume_without_its_model_says_so(dbtui, stopped: RunDirectory):
    config = stopped.run_toml.read_text()
    base = tomllib.loads(config)["model"]["base"]
    stopped.run_toml.write_text(config.replace(base, f"{stopped.path}/gone.safetensors"))
    done = dbtui("resume", stopped.path)
    assert done.returncode == 4
    assert "gone.safetensors" in done.stderr
    assert not stopped.console_log.exists()


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[RunDirectory]:
    """The run that a test will make; killed if it is left running."""
    run = RunDirectory(tmp_path / "mine")
    yield run
    holder = lock_holder(run)
    if holder and is_alive(run):
        os.kill(holder.pid, signal.SIGKILL)


def test_a_detached_run_trains_and_can_be_stopped(dbtui, run_file: Path, tmp_path: Path, mine: RunDirectory, wait):
    settings = ("train.max_steps=5000", "sample.before_training=false", "train.cpu_threads=1")
    options = [word for setting in settings for word in ("--set", setting)]
    started = dbtui("run", run_file, "--detach", "--name", "mine", "--runs-dir", tmp_path, *options)
    assert started.returncode == 0
    assert started.stdout == f"{mine.path}\n"
    assert "dbtui attach" in started.stderr
    wait(lambda: fold(EventReader(mine.events).poll()).step > 0, "the trainer trains", 120)
    taken = dbtui("run", run_file, "--name", "mine", "--runs-dir", tmp_path)
    assert taken.returncode == 2
    assert "a run named mine" in taken.stderr
    stopped = dbtui("stop", "mine", "--runs-dir", tmp_path)
    assert stopped.returncode == 0
    wait(lambda: not is_alive(mine), "the trainer has stopped", 60)
    shown = dbtui("attach", "mine", "--runs-dir", tmp_path)
    assert shown.returncode == 75
    assert f"{mine.checkpoints}/" in shown.stdout
