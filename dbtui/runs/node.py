"""A machine that trains a run beside the first one: it waits for the run's folder and gives its GPUs to it."""

import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from dbtui.runs.launch import quiet_environment
from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.several import Several
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

PATIENCE = 600.0
"""Seconds in which the first machine must have made the run."""


def wait_for_run(runs_dir: Path, name: str, patience: float = PATIENCE) -> RunDirectory:
    """Return the run that the first machine makes on a disk that both see; UserError(CONFIG) if it does not."""
    run = RunDirectory((runs_dir / name).absolute())
    deadline = time.monotonic() + patience
    while not run.run_toml.is_file():
        if time.monotonic() > deadline:
            text = (
                f"{safe_text(run.path)} did not appear in {patience:.0f} seconds: is --runs-dir on a "
                "disk that every machine sees, and does the first machine (--node-rank 0) use the same --name?"
            )
            raise UserError(text, ExitCode.CONFIG)
        time.sleep(0.2)
    return run


def work_as_node(run: RunDirectory, several: Several, wishes: Wishes = NO_WISHES) -> NoReturn:
    """Become the launcher of this machine's processes; the first machine shows and writes the run."""
    words = [sys.executable, "-m", "trainer_core", *several.arguments, *wishes.arguments, str(run.path)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, words, quiet_environment())
