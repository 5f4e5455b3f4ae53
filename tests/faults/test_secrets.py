"""Secrets in the environment: none is found in anything that a run writes, shows or leaves, however it ends."""

import os
import secrets
import subprocess
import sys

import pytest

from tests.faults.evidence import console, events

NAMES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "WANDB_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "OPENAI_API_KEY",
    "DATABASE_PASSWORD",
)
SPILLS = """
import os
os.environ.update({environment!r})
from trainer_core.train.session import Session
at_once = Session.report
def report(self, *arguments):
    at_once(self, *arguments)
    if self.job.step > 2:
        print("a library prints", os.environ["WANDB_API_KEY"])
        password, token = os.environ["DATABASE_PASSWORD"], os.environ["HF_TOKEN"]
        raise RuntimeError(f"GET https://me:{{password}}@host/?token={{token}}")
Session.report = report
"""
PREVIEW = 'sample.prompts=[{prompt="sls frog", steps=2}]'


@pytest.fixture
def environment() -> dict[str, str]:
    """A secret for each name; some look like tokens, some like nothing."""
    made = {name: secrets.token_hex(16) for name in NAMES}
    return made | {"HF_TOKEN": "hf_" + secrets.token_hex(17), "GITHUB_TOKEN": "ghp_" + secrets.token_hex(18)}


def found_in(folder, environment):
    """Return the files below `folder` that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {
        f"{path.relative_to(folder)}: {name}"
        for path in files
        for name, value in environment.items()
        if value.encode() in path.read_bytes()
    }


@pytest.mark.faults
@pytest.mark.row(53)
def test_a_run_to_its_end(run_file, environment, tmp_path):
    """Through `dbtui run`, with previews, a model, a report and a log for TensorBoard."""
    settings = ("train.max_steps=2", PREVIEW, "log.tensorboard=true", "save.every_n_steps=1")
    words = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "dbtui", "run", run_file, *words, "--runs-dir", tmp_path / "runs"]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment, "DBTUI_CACHE_DIR": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert found_in(tmp_path, environment) == set()
    assert [name for name, value in environment.items() if value in done.stdout + done.stderr] == []


@pytest.mark.row(53)
def test_a_run_whose_error_quotes_them(run, environment, start, tmp_path, dbtui):
    status = start(run, before=SPILLS.format(environment=environment)).wait()
    assert status == 1
    assert "a library prints [hidden]" in console(run)
    assert "RuntimeError" in events(run, "failed")[-1]["text"]
    assert found_in(tmp_path, environment) == set()
    shown = [dbtui(command, run.path) for command in ("attach", "log")]
    told = "".join(each.stdout + each.stderr for each in shown)
    assert [name for name, value in environment.items() if value in told] == []
