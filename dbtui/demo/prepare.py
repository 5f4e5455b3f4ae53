"""A run of the demo, ready to be started."""

from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text


def demo_folder(runs_dir: Path) -> Path:
    """Return the folder of the demo's files, which is made. Raises UserError(DISK)."""
    folder = runs_dir / "demo-files"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{safe_text(folder)} cannot be made ({error.strerror}): name another folder with --runs-dir"
        raise UserError(text, ExitCode.DISK) from error
    return folder


def demo_run(run_file: Path, runs_dir: Path) -> RunDirectory:
    """Make a run of the demo's run file. Raises UserError."""
    from dbtui.runs.prepare import configure, make_run
    from trainer_core.plan import make_plan

    config = configure(str(run_file))
    plan = make_plan(config, runs_dir)
    plan.raise_for_problems()
    return make_run(config, plan, runs_dir, None)
