"""`dbtui demo`: the whole job on a tiny model and drawn pictures, on any CPU, in a minute or so."""

import sys
from pathlib import Path

from dbtui.cli import options
from trainer_core.errors import ExitCode
from trainer_core.text import safe_text


def demo(
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
) -> int:
    """Train a tiny model on drawn pictures: the whole job, on any CPU, in about a minute."""
    from dbtui.cli.output import narrate
    from dbtui.cli.run import start
    from dbtui.demo.compare import compare
    from dbtui.demo.files import write_demo_files
    from dbtui.runs.prepare import configure, make_run
    from trainer_core.plan import make_plan

    narrate("drawing pictures and building a tiny model ...")
    run_file = write_demo_files(_folder(runs_dir))
    config = configure(str(run_file))
    plan = make_plan(config, runs_dir)
    plan.raise_for_problems()
    run = make_run(config, plan, runs_dir, None)
    code = start(run, detach=False)
    if code != ExitCode.DONE:
        return code
    narrate("comparing the result with the start model, on the same noise ...")
    result = run.output / f"{config.save.output_name}.safetensors"
    comparison = compare(run_file, result)
    sys.stdout.write(
        f"loss on the same noise and timesteps: {comparison.before:.3f} before, {comparison.after:.3f} after "
        f"({comparison.sigmas:.0f} standard errors)\n"
        f"model:    {safe_text(result, 2000)}\n"
        f"run file: {safe_text(run_file, 2000)}   (dbtui run it again, or change it)\n"
    )
    return code


def _folder(runs_dir: Path) -> Path:
    from trainer_core.errors import UserError

    folder = runs_dir / "demo-files"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{safe_text(folder)} cannot be made ({error.strerror}): name another folder with --runs-dir"
        raise UserError(text, ExitCode.DISK) from error
    return folder
