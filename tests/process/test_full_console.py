"""A console.log on a full disk: the trainer's exit code still tells how it ended."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
TRAINER = [sys.executable, "-m", "trainer_core"]

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


def code_of(*arguments: object) -> int:
    with FULL.open("wb") as full:
        command = [*TRAINER, *map(str, arguments)]
        return subprocess.run(command, stdout=full, stderr=full, timeout=300, check=False).returncode


def test_a_refused_file(tmp_path: Path):
    (tmp_path / "run.toml").write_text("schema = 1\nnonsense = 1\n")
    assert code_of(tmp_path / "run.toml") == 2


@pytest.mark.row(14)
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_training(tmp_path: Path, is_missing: bool):
    from tests.process.tiny_demo import write_tiny_demo

    run_file = write_tiny_demo(tmp_path)
    few = ["train.max_steps=2", "sample.before_training=false", "train.cpu_threads=1"]
    if is_missing:
        few.append("model.base=/gone.safetensors")
    words = [word for setting in few for word in ("--set", setting)]
    code = code_of(run_file, "--runs-dir", tmp_path / "runs", "--name", "frog", *words)
    assert code == (4 if is_missing else 0)
    assert any((tmp_path / "runs/frog/output").glob("*")) != is_missing
