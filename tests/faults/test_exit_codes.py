"""Every exit code, from a real command or trainer."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.evidence import console, wait_for_step
from trainer_core.errors import ExitCode

DOCS = Path(__file__).parents[2] / "docs"
NO_MEMORY = """
import torch, trainer_core.train.make_ready as run
def load_model(*arguments, **options):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
run.load_model = load_model
"""
NO_NUMBER = """
from trainer_core.train import passes
real = passes.batch_losses
passes.batch_losses = lambda *arguments: real(*arguments) * float("nan")
"""
NO_LIBRARY = "import trainer_core.attempt as a, sys\nsys.modules['trainer_core.train.run'] = None"


def test_the_page_has_every_code_with_its_meaning():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE)
    assert [(int(code), meaning.strip()) for code, meaning in rows] == [(code, code.meaning) for code in ExitCode]


def test_codes_of_commands(dbtui, run_file: Path, run, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").write_text("")
    done = tmp_path / "runs" / "done"
    done.mkdir(parents=True)
    (done / "run.toml").write_text((run.path / "run.toml").read_text())
    (done / "events.jsonl").write_text('{"t": 1, "mono": 1, "kind": "finished", "exit_code": 0, "text": "done"}\n')
    codes = {
        ("--version",): 0,
        ("runs", "--runs-dir", tmp_path): 0,
        ("runs", "--no-such-option"): 2,
        ("plan", tmp_path / "nothing.toml"): 2,
        ("stop", run.path): 2,
        ("scan", tmp_path / "empty"): 3,
        ("plan", run_file, "--model", tmp_path / "none.safetensors"): 4,
        ("resume", done): 5,
        ("run", run_file, "--runs-dir", tmp_path / "a-file"): 6,
    }
    assert {words: dbtui(*words).returncode for words in codes} == codes


@pytest.mark.faults
def test_codes_of_the_trainer(make_run, start, tmp_path: Path):
    codes = {1: NO_LIBRARY, 7: NO_NUMBER, 8: NO_MEMORY}
    runs = {code: make_run(tmp_path / "runs", name=f"code-{code}") for code in (*codes, 9)}
    trainers = {code: start(runs[code], before=before) for code, before in codes.items()}
    assert {code: trainer.wait() for code, trainer in trainers.items()} == {code: code for code in codes}

    first = start(runs[9], before="")
    wait_for_step(runs[9], 1)
    first.send(signal.SIGSTOP)
    assert start(runs[9]).wait() == 9
    first.send(signal.SIGTERM)
    first.send(signal.SIGCONT)
    assert first.wait() == 75, console(runs[9])
    assert start(runs[9]).wait() == 0
    assert start(runs[9]).wait() == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_any_command_that_is_stopped(number: signal.Signals):
    program = """
import sys, time
from dbtui.cli import app
from dbtui.__main__ import main
@app.app.command("wait")
def wait() -> None:
    print("ready", flush=True)
    time.sleep(60)
sys.argv = ["dbtui", "wait"]
main()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (75, b"error: interrupted\n")
