"""`dbtui runs`: the list of live and past runs."""

import time
from typing import TYPE_CHECKING, Any

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.find import RunSummary

_SIGNS = {"running": "●", "done": "✓", "stopped": "■", "failed": "✗", "interrupted": "✗", "not started": "·"}


def runs(runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False) -> int:
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
