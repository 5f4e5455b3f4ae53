"""`dbtui plan`: every problem, and what the run will do, before anything is started."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.config.schema import Config
    from trainer_core.plan import Plan


def plan(
    file: options.File,
    model: options.Model = None,
    data: options.Data = None,
    reg: options.Reg = None,
    identifier: options.Identifier = None,
    class_: options.Class = None,
    concepts: options.Concepts = None,
    name: options.Name = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    overrides: options.Overrides = None,
    deep: Annotated[
        bool,
        typer.Option("--deep/--quick", help="Decode every picture (remembered), or look at headers only."),
    ] = True,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Compute the memory anew instead of reading it off a table: half a minute."),
    ] = False,
    gpus: options.Gpus = None,
    as_json: options.Json = False,
) -> int:
    """Check everything and show what a run would do; nothing is started. The exit code tells the first problem."""
    from dbtui.cli.output import narrate, print_json
    from dbtui.cli.plan_json import plan_data
    from dbtui.cli.progress import picture_progress
    from dbtui.memory.planned import card_here, prediction_of, rehearsal_of
    from dbtui.runs.plan_report import print_plan
    from dbtui.runs.prepare import configure
    from trainer_core.plan import make_plan

    config = configure(
        file,
        overrides=overrides or (),
        model=model,
        data=data,
        reg=reg,
        identifier=identifier,
        class_=class_,
        concepts=concepts,
        runs_dir=runs_dir,
        tell=narrate,
    )
    with picture_progress() as progress:
        made = make_plan(config, runs_dir, deep=deep, progress=progress)
    made = _with_name(made, runs_dir, name)
    count, made = _with_gpus(made, config, gpus)
    memory = rehearsal_of(made, config, narrate, count) if exact else prediction_of(made, config, count)
    card = card_here() if memory else None
    if as_json:
        print_json(plan_data(made, config, memory, card))
        return int(made.errors[0].code if made.errors else ExitCode.DONE)
    print_plan(made, config, memory, card)
    sys.stdout.flush()
    made.raise_for_problems()
    if sys.stdout.isatty():
        narrate(f"start it:  {safe_text(_run_command(), 2000)}")
    return int(ExitCode.DONE)


def _with_gpus(made: "Plan", config: "Config", gpus: str | None) -> "tuple[int, Plan]":
    """Return how many GPUs there shall be, and the plan with what does not go with so many."""
    from dbtui.memory.planned import gpus_for
    from trainer_core.ranks.several import Several, refuse_unsuitable

    count = gpus_for(gpus)
    try:
        refuse_unsuitable(config, Several(count))
    except UserError as error:
        return count, replace(made, errors=(error, *made.errors))
    return count, made


def _with_name(made: "Plan", runs_dir: Path, name: str | None) -> "Plan":
    """Add what is wrong with the run's name, if one was given; it comes first, as other command line problems."""
    from trainer_core.on_disk import exists
    from trainer_core.run.names import check_run_name

    if name is None:
        return made
    try:
        check_run_name(name)
        if exists(runs_dir / name):
            text = f"there is a run named {name} in {safe_text(runs_dir)} already: choose another --name"
            raise UserError(text, ExitCode.CONFIG)
    except UserError as error:
        return replace(made, errors=(error, *made.errors))
    return made


def _run_command() -> str:
    """Return this command line with `run` in the place of `plan` and without what only `plan` knows."""
    words = [word for word in sys.argv[1:] if word not in {"--deep", "--quick", "--exact"}]
    words[words.index("plan")] = "run"
    return shlex.join(["dbtui", *words])
