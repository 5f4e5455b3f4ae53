"""What the last step shows: plain texts and renderables made of what was found."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dbtui.runs.plan_report import report
from dbtui.wizard.review.mends import Mend
from dbtui.wizard.review.reviewed import Reviewed
from dbtui.wizard.steps.order import STEPS
from trainer_core.data.listing import counted
from trainer_core.disk import gigabytes
from trainer_core.plan import Plan
from trainer_core.text import safe_text

_BAR = 24
_LONGEST_WORD = max(len(step.word) for step in STEPS)


def progress_words(done: int, total: int) -> Text:
    """Return how far the pictures are looked at, as a bar and in numbers."""
    if not total:
        return Text("· looking at the model, the pictures and the disk")
    full = _BAR * done // total
    bar = "━" * full + "─" * (_BAR - full)
    return Text(f"· looking at every picture  {bar}  {done} of {total}")


def state_words(reviewed: Reviewed) -> Text:
    """Say in a line whether it can be started."""
    if reviewed.can_start:
        return Text("✓ nothing stands in the way: s starts it")
    return Text(f"! {counted(len(reviewed.mends), 'thing')} to mend: enter goes to its place")


def summary_words(plan: Plan) -> Text:
    """Return the steps with their formula, and the disk, a line each."""
    need = plan.disk
    about = "at most" if need.exact else "about"
    models = f"{counted(need.num_models, 'model')}, {counted(need.num_checkpoints, 'checkpoint')}"
    disk = f"{about} {gigabytes(need.total)} of disk ({models}), {gigabytes(need.free)} free"
    return Text(f"{plan.formula}\n{disk}")


def mend_words(mend: Mend) -> Table:
    """Return a problem as an entry of the list: the step that mends it, and the words."""
    entry = Table.grid(padding=(0, 1))
    entry.add_column(style="bold", no_wrap=True, width=_LONGEST_WORD)
    entry.add_column(overflow="fold")
    entry.add_row(Text(mend.step.word), Text(safe_text(mend.text, 1000)))
    return entry


def plan_words(reviewed: Reviewed) -> RenderableType:
    """Return what is good to know, and the plan."""
    assert reviewed.plan is not None
    assert reviewed.config is not None
    return Group(*_notes(reviewed), report(reviewed.plan, reviewed.config))


def command_words(command: str, done: str) -> Text:
    """Return the command that trains without the wizard, or how to get it; `done` is what just was."""
    if not command:
        return Text("without this screen:  c writes the file here and copies the command", "dim")
    return Text.assemble((f"{done or 'without this screen'}:\n", "dim"), safe_text(command, 1000))


def folder_words(folder: Path) -> Text:
    """Return where the run is written, and what will lie there."""
    within = "run.toml, events, console.log, previews, checkpoints, report.html"
    return Text.assemble(("written into  ", "bold"), f"{safe_text(folder)}\n", (within, "dim"), "\n")


def _notes(reviewed: Reviewed) -> Iterator[RenderableType]:
    if reviewed.notes:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for note in reviewed.notes:
            table.add_row(Text("!", "bold yellow"), Text(note))
        yield table
        yield Text()
