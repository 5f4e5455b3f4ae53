"""`dbtui runs`, `attach`, `resume`, `stop`, `save`, `sample` and `log`: live and past runs."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.dashboard.state import Ack
    from dbtui.runs.find import RunSummary
    from trainer_core.run.control import CommandKind
    from trainer_core.run.directory import RunDirectory

_PATIENCE = 10.0
_SIGNS = {"running": "●", "done": "✓", "stopped": "■", "failed": "✗", "interrupted": "✗", "not started": "·"}

RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Name or path of the run; the newest live one if not given.")
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", metavar="DIR", help="Folder that holds the runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def attach(run: RunArgument = None, runs_dir: RunsDir = Path("runs")) -> int:
    """Watch a run, live or past. Ctrl-C or `d` leaves; the training goes on."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.find import choose_run

    with Interrupts() as interrupts:
        return int(watch_attached(choose_run(runs_dir, run), interrupts))


def runs(runs_dir: RunsDir = Path("runs"), as_json: AsJson = False) -> int:
    """List the runs, the newest first."""
    from dbtui.runs.find import find_runs, summarize

    summaries = [summarize(run) for run in find_runs(runs_dir)]
    if as_json:
        print_json([_as_data(summary) for summary in summaries])
    elif summaries:
        _print_table(summaries)
    else:
        narrate(f"there are no runs in {safe_text(runs_dir)}")
    return 0


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of the stopped run.")],
    runs_dir: RunsDir = Path("runs"),
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


def stop(run: RunArgument = None, runs_dir: RunsDir = Path("runs"), as_json: AsJson = False) -> int:
    """Ask the trainer to end its step, save, and stop."""
    return _command("stop", run, runs_dir, as_json)


def save(run: RunArgument = None, runs_dir: RunsDir = Path("runs"), as_json: AsJson = False) -> int:
    """Ask the trainer to save a model now and go on."""
    return _command("save", run, runs_dir, as_json)


def sample(run: RunArgument = None, runs_dir: RunsDir = Path("runs"), as_json: AsJson = False) -> int:
    """Ask the trainer to draw the previews now and go on."""
    return _command("sample", run, runs_dir, as_json)


def log(
    run: RunArgument = None,
    runs_dir: RunsDir = Path("runs"),
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as the log grows, until the run ends.")
    ] = False,
) -> int:
    """Print what the trainer said on its console."""
    from dbtui.runs.find import choose_run
    from dbtui.runs.log import read_log

    chosen = choose_run(runs_dir, run)
    if not chosen.console_log.is_file():
        narrate(f"{chosen.name} has no console.log: its trainer was not started by dbtui, or not yet")
    try:
        for line in read_log(chosen, follow):
            sys.stdout.write(safe_text(line, 4000) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 0  # the way out of -f
    return 0


def _command(kind: "CommandKind", wanted: str | None, runs_dir: Path, as_json: bool) -> int:
    """Append a command, wait a moment for the trainer's answer, and say it. Exit code 1 if it refused."""
    from dbtui.runs.find import choose_run
    from trainer_core.run.control import append_command
    from trainer_core.run.events import EventReader
    from trainer_core.run.lock import is_alive

    chosen = choose_run(runs_dir, wanted)
    if not is_alive(chosen):
        raise UserError(f"{chosen.name} is not running: there is no trainer to {kind} it", ExitCode.CONFIG)
    events = EventReader(chosen.events)
    events.poll()
    command_id = append_command(chosen, kind)
    ack = _wait_for_ack(chosen, events, command_id)
    if as_json:
        answer = {"ok": ack.ok, "text": ack.text} if ack else {"ok": None, "text": ""}
        print_json({"run": chosen.name, "command": kind, "id": command_id, **answer})
    elif ack is None:
        narrate(f"{kind} is asked for; {chosen.name} will do it as soon as it can (it has not answered yet)")
    else:
        narrate(f"{chosen.name}: {safe_text(ack.text) or ('done' if ack.ok else 'refused')}")
    return int(ExitCode.FAILED if ack and not ack.ok else ExitCode.DONE)


def _wait_for_ack(run: "RunDirectory", events: Any, command_id: str) -> "Ack | None":
    from dbtui.dashboard.state import fold
    from trainer_core.run.lock import is_alive

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        lives = is_alive(run)
        if ack := fold(events.poll()).acks.get(command_id):
            return ack
        if not lives:
            return None
        time.sleep(0.1)
    return None


def _as_data(summary: "RunSummary") -> dict[str, Any]:
    state = summary.state
    return {
        "name": summary.run.name,
        "path": summary.run.path,
        "status": summary.status,
        "phase": state.phase,
        "step": state.step,
        "total_steps": summary.total_steps,
        "loss": state.loss,
        "smooth_loss": state.smooth_loss,
        "eta_seconds": state.eta_seconds if summary.status == "running" else None,
        "changed": summary.changed,
        "exit_code": state.ending.exit_code if state.ending else None,
        "text": state.ending.text if state.ending else "",
        "outputs": list(state.ending.outputs) if state.ending else [],
    }


def _print_table(summaries: "list[RunSummary]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for summary in summaries:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in _cells(summary)))
    Console(highlight=False).print(table)


def _cells(summary: "RunSummary") -> list[str]:
    from dbtui.dashboard.words import eta_words, loss_text, phase_words

    state, status = summary.state, summary.status
    total = f"/{summary.total_steps}" if summary.total_steps else ""
    told = phase_words(state).split(" ")[0] if status == "running" else status
    end = eta_words(state) if status == "running" else ""
    loss = f"loss {loss_text(state.smooth_loss)}" if state.smooth_loss is not None else ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.changed))
    return [f"{_SIGNS[status]} {summary.run.name}", told, f"step {state.step}{total}", loss, end, when]
