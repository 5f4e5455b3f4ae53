import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.evidence import console
from tests.faults.forked import ForkedTrainer, ForkServer
from trainer_core.run.directory import RunDirectory, create_run

STEPS = 12
RUN_FILE = f"""
schema = 1
model.base = "tiny.safetensors"
dataset = {{ train_dir = "train", reg_dir = "reg", resolution = [64, 64] }}
optimizer = {{ type = "adamw", learning_rate = 1e-4 }}
train = {{ max_steps = {STEPS}, cpu_threads = 1, workers = 1 }}
save = {{ output_name = "frog", every_n_steps = 4, keep_last = 1 }}
validation = {{ samples = 0 }}
"""
SLOWLY = """
import time
from trainer_core.train.session import Session
at_once = Session.between_steps
def between_steps(self):
    time.sleep(0.15)
    return at_once(self)
Session.between_steps = between_steps
"""
"""Steps that leave a test the time to act between them."""


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    """Forks trainers; every one that still lives at the end is ended."""
    with ForkServer() as started:
        yield started


@pytest.fixture(scope="session")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file with a tiny model, two pictures of the subject and three of its class. Read only."""
    from trainer_core.models.quiet import quiet_imports

    quiet_imports()
    import torch

    from dbtui.demo.world.write import write_frogs
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("faults")
    write_frogs(root / "train" / "2_sls frog", 2, subject=True)
    write_frogs(root / "reg" / "1_frog", 3, subject=False)
    save_model(build_tiny(), root / "tiny", format="safetensors", precision=None, metadata={})
    path = root / "run.toml"
    path.write_text(RUN_FILE)
    return path


@pytest.fixture(scope="session")
def make_run(run_file: Path) -> Callable[..., RunDirectory]:
    """Return a function that makes a run of the run file, with some settings changed."""
    from trainer_core.config.reader import read_config
    from trainer_core.config.writer import dump_config

    def make(runs_dir: Path, *overrides: str, name: str = "frog", file: Path = run_file) -> RunDirectory:
        return create_run(runs_dir, name, dump_config(read_config(file, overrides=overrides)))

    return make


@pytest.fixture(scope="session")
def whole(
    server: ForkServer, make_run: Callable[..., RunDirectory], tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    """The run that nothing happened to."""
    run = make_run(tmp_path_factory.mktemp("whole"))
    assert server.start(run).wait() == 0, console(run)
    return run


@pytest.fixture
def run(make_run: Callable[..., RunDirectory], tmp_path: Path) -> RunDirectory:
    """A run that was not started yet."""
    return make_run(tmp_path / "runs")


@pytest.fixture
def start(server: ForkServer) -> Iterator[Callable[..., ForkedTrainer]]:
    """Start a trainer on a run, as ForkServer.start; killed at the end of the test if it still lives."""
    started: list[ForkedTrainer] = []

    def begin(run: RunDirectory, *options: str, before: str = "") -> ForkedTrainer:
        started.append(server.start(run, *options, before=before))
        return started[-1]

    yield begin
    for trainer in started:
        trainer.kill()
        trainer.wait()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that makes a file system of a size (`8m`), gone at the end of the test."""
    mounted: list[Path] = []

    def make(size: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(*words: object) -> None:
    """Mount as root, or skip the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@pytest.fixture
def dbtui() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs dbtui to its end."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dbtui", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    return call
