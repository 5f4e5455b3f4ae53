"""`dbtui demo`: the whole job on a tiny model and drawn pictures, on any CPU, in a minute or so."""

import sys

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
    from dbtui.demo.prepare import demo_folder, demo_run
    from trainer_core.config.reader import read_config

    narrate("drawing pictures and building a tiny model ...")
    run_file = write_demo_files(demo_folder(runs_dir))
    run = demo_run(run_file, runs_dir)
    code = start(run, detach=False)
    if code != ExitCode.DONE:
        return code
    narrate("comparing the result with the start model, on the same noise ...")
    result = run.output / f"{read_config(run.run_toml).save.output_name}.safetensors"
    comparison = compare(run_file, result)
    sys.stdout.write(
        f"loss on the same noise and timesteps: {comparison.before:.3f} before, {comparison.after:.3f} after "
        f"({comparison.sigmas:.0f} standard errors)\n"
        f"model:    {safe_text(result, 2000)}\n"
        f"run file: {safe_text(run_file, 2000)}   (dbtui run it again, or change it)\n"
    )
    return code
