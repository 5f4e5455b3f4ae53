"""`dbtui resume`: go on with a run that was stopped."""

from typing import Annotated

import typer

from dbtui.cli import options
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of the stopped run.")],
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    detach: Annotated[bool, typer.Option("--detach", help="Start the training and leave at once.")] = False,
) -> int:
    """Go on with a stopped run from its newest checkpoint, exactly where it was."""
    from dbtui.cli.run import start
    from dbtui.runs.find import choose_run, summarize
    from trainer_core.config.reader import read_config
    from trainer_core.plan import make_plan

    chosen = choose_run(runs_dir, run)
    status = summarize(chosen).status
    if status == "running":
        text = f"{chosen.name} is running already; watch it with: dbtui attach {chosen.name}"
        raise UserError(text, ExitCode.LOCKED)
    if status == "done":
        text = f"{chosen.name} is done: see {safe_text(chosen.output)}. Start a new run to train more."
        raise UserError(text, ExitCode.RESUME)
    # Said here as well as by the trainer: on a full disk, that could not write why it ended.
    plan = make_plan(read_config(chosen.run_toml), chosen.path.parent, run_dir=chosen.path)
    plan.raise_for_problems()
    return start(chosen, detach=detach)
