"""The rows of home's list of runs, and what is told of the run that the cursor is on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.state import Preview, RunState
from dbtui.dashboard.status import LIVE, Status
from dbtui.dashboard.words import day_and_time
from dbtui.runs.cells import cells_of, fitting
from dbtui.runs.summary import RunSummary
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

_GAP = 2
_NARROWEST_NAME = 12


@dataclass(frozen=True)
class RunRow:
    """One run in the list. A run that was not looked at yet has a name only."""

    run: RunDirectory
    status: Status | None
    cells: tuple[Text, ...]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    @property
    def lives(self) -> bool:
        """Whether a trainer works on it."""
        return self.status in LIVE

    def is_about(self, words: str) -> bool:
        """Tell whether name and standing hold every one of the words that were searched for."""
        text = f"{self.name} {self.cells[1].plain}".lower()
        return all(word in text for word in words.lower().split())


def row_of(run: RunDirectory, summary: RunSummary | None, now: float) -> RunRow:
    """Return the row of a run; `summary` is None as long as it was not looked at."""
    if summary is None:
        return RunRow(run, None, (Text(f"  {run.name}"), Text("…", "dim"), Text(), Text(), Text()))
    return RunRow(run, summary.status, tuple(cells_of(summary, now)))


def lines_of(rows: Sequence[RunRow], width: int) -> list[Text]:
    """Set the rows in columns, for `width` cells; what matters least is left out where it is narrow."""
    table = [fitting(list(row.cells), width) for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*table, strict=True)]
    if widths:
        rest = sum(widths[1:]) + _GAP * (len(widths) - 1)
        widths[0] = min(widths[0], max(_NARROWEST_NAME, width - rest))
    return [_line(cells, widths) for cells in table]


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text(no_wrap=True)
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        fitted = cell.copy()
        fitted.truncate(width, overflow="ellipsis")
        padding = Text(" " * max(0, width - fitted.cell_len))
        line.append_text(padding + fitted if cell.justify == "right" else fitted + padding)
        if place < len(widths) - 1:
            line.append(" " * _GAP)
    line.rstrip()
    return line


def detail_of(summary: RunSummary, facts: RunFacts, now: float, width: int) -> list[Text]:
    """Return what home tells of one run beside its row: why it failed, its last preview, all its steps."""
    state = summary.state
    lines = [_made_of(facts), _why(state, summary.status), _preview(state, width), _in_all(summary, now)]
    return [line for line in lines if line.plain]


def _made_of(facts: RunFacts) -> Text:
    what = "LoRA" if facts.is_lora else "full model"
    parts = (safe_text(facts.model, 60), what if facts.model else "", safe_text(facts.preset, 40))
    return Text(" · ".join(part for part in parts if part), "dim")


def _why(state: RunState, status: Status) -> Text:
    if status == "crashed":
        return Text("✗ the trainer ended without a word: it was killed, or its machine went down", "red")
    if status != "failed" or not state.ending:
        return Text()
    first = next((line for line in state.ending.text.split("\n") if line.strip()), "")
    return Text(f"✗ {safe_text(first, 300)}", "red")


def _preview(state: RunState, width: int) -> Text:
    if not state.previews:
        return Text("no preview yet", "dim") if state.step else Text()
    last = state.previews[-1]
    line = Text("last preview  ", "dim").append(f"step {last.step}  ", "")
    room = max(8, width - line.cell_len - 2)
    prompt = safe_text(last.prompt)
    shown = prompt if cell_len(prompt) <= room else prompt[: room - 1] + "…"
    return line.append(f'"{shown}"', "italic")


def _in_all(summary: RunSummary, now: float) -> Text:
    if not summary.lifetime_steps:
        return Text(f"made {day_and_time(summary.started, now)}", "dim")
    epochs = summary.lifetime_epochs
    passes = f" · {epochs:.1f} epochs" if epochs is not None else ""
    totals = summary.state.totals
    times = totals.resumes if totals else 0
    resumed = f" · resumed {'once' if times == 1 else f'{times} times'}" if times else ""
    steps = f"{summary.lifetime_steps:,} step{'s' * (summary.lifetime_steps != 1)}"
    return Text(f"in all {steps}{passes}{resumed} · begun {day_and_time(summary.started, now)}", "dim")


def preview_path(run: RunDirectory, preview: Preview) -> Path | None:
    """Return the file of a preview; None if its event names anything that does not lie in the run's folder."""
    path = Path(preview.path)
    if path.is_absolute():
        path = path.relative_to(run.path) if path.is_relative_to(run.path) else Path("..")
    if ".." in path.parts or "\0" in preview.path:
        return None
    return run.path / path
