"""Start the run that was reviewed, so that it goes on when the terminal is gone."""

import shutil
from pathlib import Path

from dbtui.runs.launch import TrainerProcess, launch
from dbtui.runs.prepare import make_run
from dbtui.wizard.recent import remember_model
from dbtui.wizard.review.reviewed import Reviewed
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import exists
from trainer_core.run.names import check_run_name
from trainer_core.text import safe_text


def start_run(reviewed: Reviewed, runs_dir: Path, name: str) -> TrainerProcess:
    """Make the run with the very configuration that was reviewed and start its trainer; wait until it lives.

    An empty name gives the next free one.

    Raises:
        UserError: it cannot be made or started; nothing of it is left then.
    """
    assert reviewed.config is not None
    assert reviewed.plan is not None
    run = make_run(reviewed.config, reviewed.plan, runs_dir, name or None)
    try:
        process = launch(run)
    except (UserError, OSError) as error:
        shutil.rmtree(run.path, ignore_errors=True)
        if isinstance(error, UserError):
            raise
        why = safe_text(error.strerror or error)
        raise UserError(f"the trainer cannot be started ({why}): try again", ExitCode.FAILED) from error
    process.wait_until_alive()
    remember_model(str(reviewed.config.model.base))
    return process


def name_problem(name: str, runs_dir: Path) -> str:
    """Return what is wrong with a name that was typed, "" if nothing is."""
    if not name:
        return ""
    try:
        check_run_name(name)
    except UserError as error:
        return error.problems[0]
    if exists(runs_dir / name):
        return f"there is a run named {name} already: choose another name, or none to get the next number"
    return ""
