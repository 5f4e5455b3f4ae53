"""What a list of runs tells of a run, in cells: for `dbtui runs` and for the application's home."""

from rich.text import Text

from dbtui.dashboard.status import SIGNS, STYLES
from dbtui.dashboard.words import day_and_time, duration, eta_words, loss_text, phase_words
from dbtui.runs.summary import RunSummary
from trainer_core.text import safe_text

_ROOMY, _NARROW = 72, 52
"""Widths of a list below which less is told."""


def cells_of(summary: RunSummary, now: float) -> list[Text]:
    """Return name, standing, step, loss, and when it will end or was last heard of."""
    state, style = summary.state, STYLES[summary.status]
    total = f"/{summary.total_steps}" if summary.total_steps else ""
    loss = f"loss {loss_text(state.smooth_loss)}" if state.smooth_loss is not None else ""
    cells = [
        Text.assemble((SIGNS[summary.status], style), f" {summary.run.name}"),
        Text(_standing(summary), style),
        Text(f"step {state.step}{total}" if state.step else "", justify="right"),
        Text(loss, "dim"),
        Text(_when(summary, now), "dim"),
    ]
    for cell in cells:
        cell.no_wrap, cell.overflow = True, "ellipsis"
    return cells


def fitting(cells: list[Text], width: int) -> list[Text]:
    """Leave out where it is narrow what matters least."""
    name, standing, step, _loss, when = cells
    if width >= _ROOMY:
        return cells
    return [name, standing, step, when] if width >= _NARROW else [name, standing]


def _standing(summary: RunSummary) -> str:
    return phase_words(summary.state) if summary.status == "running" else summary.status


def _when(summary: RunSummary, now: float) -> str:
    """Say how long it will take, how long nothing happened, or when it ended; and where, if elsewhere."""
    if not summary.lives:
        resumes = f" · resumes at {summary.resume_step}" if summary.resume_step is not None else ""
        fetched = f" · from {safe_text(summary.fetched_from, 60)}" if summary.fetched_from else ""
        return day_and_time(summary.changed, now) + resumes + fetched
    if summary.status == "running":
        words = eta_words(summary.state)
    else:
        words = f"{'no news ' * (summary.status == 'stalled')}for {duration(summary.silence)}"
    where = f"on {safe_text(summary.holder.host, 60)}" if summary.is_elsewhere and summary.holder else ""
    return " · ".join(part for part in (words, where) if part)
