"""`dbtui demo`: the whole job on a small model that draws, on any CPU, in about two minutes."""

import sys
from typing import Annotated

import typer

from dbtui.cli import options
from trainer_core.errors import ExitCode
from trainer_core.text import safe_text


def demo(
    lora: Annotated[bool, typer.Option("--lora", help="Train a LoRA in place of the whole model.")] = False,
    no_prior: Annotated[
        bool, typer.Option("--no-prior", help="Train without class pictures, to see what they are for.")
    ] = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
) -> int:
    """Teach a small model one frog with a hat, from six pictures: the whole job, on any CPU, in two minutes."""
    from dbtui.cli.output import narrate
    from dbtui.cli.run import start
    from dbtui.demo.files import DemoChoices, write_demo_files
    from dbtui.demo.prepare import demo_folder, demo_run
    from dbtui.demo.show import show_result

    narrate("drawing six pictures of a frog with a hat, and 24 of other frogs ...")
    run_file = write_demo_files(demo_folder(runs_dir), DemoChoices(lora=lora, prior=not no_prior))
    run = demo_run(run_file, runs_dir)
    code = start(run, detach=False)
    if code != ExitCode.DONE:
        return code
    sheet = show_result(run)
    told = {"before and after": sheet, "report": run.report, "model": run.output / "sls-frog.safetensors"}
    for name, path in told.items():
        if path is not None and path.exists():
            sys.stdout.write(f"{name + ':':<18}{safe_text(path, 2000)}\n")
    sys.stdout.write(f"{'run file:':<18}{safe_text(run_file, 2000)}   (dbtui run it again, or change it)\n")
    return code
