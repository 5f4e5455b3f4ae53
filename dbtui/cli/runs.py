"""`dbtui runs`: the list of live and past runs."""

import sys
import time
from typing import TYPE_CHECKING, Any

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from rich.text import Text

    from dbtui.runs.summary import RunSummary

_WIDE = 200
"""Columns of a list that is not printed on a terminal."""
_ROOMY, _NARROW = 72, 52
"""Widths of a terminal below which less is told."""


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
    }


def _print_table(summaries: "list[RunSummary]") -> None:
    from rich.console import Console
    from rich.table import Table

    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if is_terminal else _WIDE, soft_wrap=not is_terminal)
    table = Table(box=None, show_header=False, pad_edge=False)
    for summary in summaries:
        table.add_row(*fitting(_cells(summary), console.width))
    console.print(table)


def fitting(cells: "list[Text]", width: int) -> "list[Text]":
    """Leave out on a narrow terminal what matters least."""
    name, standing, step, _loss, when = cells
    if width >= _ROOMY:
        return cells
    return [name, standing, step, when] if width >= _NARROW else [name, standing]


def _cells(summary: "RunSummary") -> "list[Text]":
    from rich.text import Text

    from dbtui.dashboard.status import SIGNS, STYLES
    from dbtui.dashboard.words import loss_text

    state, style = summary.state, STYLES[summary.status]
    total = f"/{summary.total_steps}" if summary.total_steps else ""
    loss = f"loss {loss_text(state.smooth_loss)}" if state.smooth_loss is not None else ""
    cells = [
        Text(f"{SIGNS[summary.status]} {summary.run.name}", style),
        Text(_standing(summary), style),
        Text(f"step {state.step}{total}" if state.step else "", justify="right"),
        Text(loss, "dim"),
        Text(_when(summary), "dim"),
    ]
    for cell in cells:
        cell.no_wrap, cell.overflow = True, "ellipsis"
    return cells


def _standing(summary: "RunSummary") -> str:
    from dbtui.dashboard.words import phase_words

    return phase_words(summary.state) if summary.status == "running" else summary.status


def _when(summary: "RunSummary") -> str:
    """Say how long it will take, how long nothing happened, or when it ended; and where, if elsewhere."""
    from dbtui.dashboard.words import day_and_time, duration, eta_words

    if not summary.lives:
        resumes = f" · resumes at {summary.resume_step}" if summary.resume_step is not None else ""
        fetched = f" · from {safe_text(summary.fetched_from, 60)}" if summary.fetched_from else ""
        return day_and_time(summary.changed, time.time()) + resumes + fetched
    if summary.status == "running":
        words = eta_words(summary.state)
    else:
        words = f"{'no news ' * (summary.status == 'stalled')}for {duration(summary.silence)}"
    where = f"on {safe_text(summary.holder.host, 60)}" if summary.is_elsewhere and summary.holder else ""
    return " · ".join(part for part in (words, where) if part)
