"""`dbtui runs`: the list of live and past runs."""

import sys
import time
from typing import TYPE_CHECKING, Any

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.summary import RunSummary

_WIDE = 200
"""Columns of a list that is not printed on a terminal."""


def runs(runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False) -> int:
    """List the runs, live and past, the newest first."""
    from dbtui.runs.find import find_runs
    from dbtui.runs.summary import summarize

    summaries = [summarize(run) for run in find_runs(runs_dir)]
    if as_json:
        now = time.time()
        print_json([_as_data(summary, now) for summary in summaries])
    elif summaries:
        _print_table(summaries)
    else:
        narrate(f"there are no runs in {safe_text(runs_dir)}")
    return 0


def _as_data(summary: "RunSummary", now: float) -> dict[str, Any]:
    """Times are seconds since the epoch; what is not known, or does not apply, is null."""
    state, holder, ending = summary.state, summary.holder, summary.state.ending
    epochs = summary.lifetime_epochs
    return {
        "name": summary.run.name,
        "path": summary.run.path,
        "state": summary.status,
        "phase": state.phase,
        "step": state.step,
        "total_steps": summary.total_steps,
        "epoch": state.epoch,
        "loss": state.loss,
        "smooth_loss": state.smooth_loss,
        "started": summary.started,
        "age_seconds": round(max(0.0, now - summary.started), 1),
        "changed": summary.changed,
        "silent_seconds": round(summary.silence, 1) if summary.lives else None,
        "eta_seconds": state.eta_seconds if summary.status == "running" else None,
        "resume_step": summary.resume_step,
        "lifetime_steps": summary.lifetime_steps,
        "lifetime_epochs": round(epochs, 3) if epochs is not None else None,
        "pid": holder.pid if holder and summary.lives else None,
        "host": holder.host if holder and summary.lives else None,
        "is_elsewhere": summary.is_elsewhere,
        "fetched_from": summary.fetched_from or None,
        "exit_code": ending.exit_code if ending else None,
        "text": ending.text if ending else "",
        "outputs": list(ending.outputs) if ending else [],
        "suggested": _suggested(summary),
    }


def _suggested(summary: "RunSummary") -> dict[str, Any] | None:
    from trainer_core.suggestion import suggest, there

    found = suggest(summary.state.course, there(summary.run))
    if found is None:
        return None
    return {"step": found.step, "path": found.path, "reason": found.reason, "is_measured": found.is_measured}


def _print_table(summaries: "list[RunSummary]") -> None:
    from rich.console import Console
    from rich.table import Table

    from dbtui.runs.cells import cells_of, fitting

    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if is_terminal else _WIDE, soft_wrap=not is_terminal)
    table, now = Table(box=None, show_header=False, pad_edge=False), time.time()
    for summary in summaries:
        table.add_row(*fitting(cells_of(summary, now), console.width))
    console.print(table)
