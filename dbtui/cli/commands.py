"""`dbtui stop`, `save`, `sample` and `pause`: ask a running trainer for something and wait for its answer."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from pathlib import Path

    from dbtui.runs.ask import Answer
    from trainer_core.run.control import CommandKind
    from trainer_core.run.directory import RunDirectory

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="Names or paths of runs; the newest live one if not given."),
]
All = Annotated[bool, typer.Option("--all", help="Every live run of the folder of runs.")]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long to wait for the answer.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON for each run.")]
_PATIENCE = 30.0


def stop(
    runs: Runs = None,
    every: All = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has saved and ended, however long.")] = False,
    timeout: Timeout = _PATIENCE,
    as_json: Json = False,
) -> int:
    """Ask the trainer to end its step, save, and stop."""
    return _command("stop", _chosen(runs, every, runs_dir), timeout, as_json, wait=wait)


def save(
    runs: Runs = None,
    every: All = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    timeout: Timeout = _PATIENCE,
    as_json: Json = False,
) -> int:
    """Ask the trainer to save a model now and go on."""
    return _command("save", _chosen(runs, every, runs_dir), timeout, as_json)


def sample(
    runs: Runs = None,
    every: All = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    timeout: Timeout = _PATIENCE,
    as_json: Json = False,
) -> int:
    """Ask the trainer to draw the previews now and go on."""
    return _command("sample", _chosen(runs, every, runs_dir), timeout, as_json)


def pause(
    runs: Runs = None,
    every: All = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    timeout: Timeout = _PATIENCE,
    as_json: Json = False,
) -> int:
    """Ask the trainer to pause and free the GPU's memory; `dbtui resume` lets it go on."""
    return _command("pause", _chosen(runs, every, runs_dir), timeout, as_json)


def _chosen(wanted: list[str] | None, every: bool, runs_dir: "Path") -> "list[RunDirectory]":
    from dbtui.runs.find import choose_run, live_runs

    if every and wanted:
        raise UserError("--all means every live run: leave the names out", ExitCode.CONFIG)
    if not every:
        return [choose_run(runs_dir, each) for each in wanted] if wanted else [choose_run(runs_dir, None)]
    runs = live_runs(runs_dir)
    if not runs:
        narrate(f"no run in {safe_text(runs_dir)} is live")
    return runs


def _command(
    kind: "CommandKind", runs: "list[RunDirectory]", timeout: float, as_json: bool, *, wait: bool = False
) -> int:
    """Ask each run in turn and tell its answer; the exit code is that of the last that did not agree."""
    from dbtui.runs.ask import ask, wait_for_end

    code = ExitCode.DONE
    for run in runs:
        try:
            answer = ask(run, kind, timeout)
        except UserError as error:
            if len(runs) == 1:
                raise
            code = error.code
            for problem in error.problems:
                narrate(f"error: {problem}")
            continue
        if not _is_fine(answer):
            code = ExitCode.FAILED
        _tell(answer, as_json)
        if wait and answer.outcome in {"yes", "silent"}:
            wait_for_end(run)
            narrate(f"{run.name} has ended")
            code = ExitCode.DONE if answer.outcome == "silent" else code
    return int(code)


def _is_fine(answer: "Answer") -> bool:
    return answer.outcome == "yes" or (answer.outcome == "ended" and answer.kind == "stop")


def _tell(answer: "Answer", as_json: bool) -> None:
    if not as_json:
        narrate(f"{answer.run.name}: {answer.text}")
        return
    data: dict[str, Any] = {"run": answer.run.name, "command": answer.kind, "id": answer.id}
    data |= {"ok": {"yes": True, "no": False}.get(answer.outcome), "outcome": answer.outcome, "text": answer.text}
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()
