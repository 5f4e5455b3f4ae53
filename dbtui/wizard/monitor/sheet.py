"""All previews of a run as a sheet: prompts by steps, with what is known of the models saved at these steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbtui.wizard.monitor.result import Shown, shown_of
from trainer_core.report.previews import rows_of
from trainer_core.report.story import fold
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.suggestion import suggest, there


@dataclass(frozen=True, slots=True)
class Sheet:
    """The previews that are there.

    Attributes:
        rows: of each prompt and seed its previews, their steps rising.
        marks: words for the steps at which a model was saved.
    """

    rows: Sequence[Sequence[Shown]] = ()
    marks: Mapping[int, str] | None = None

    @property
    def steps(self) -> list[int]:
        """Every step at which something was drawn."""
        return sorted({shown.step for row in self.rows for shown in row})

    def mark(self, step: int) -> str:
        """Return what is known of a step, such as " ✓ saved"; empty if nothing is."""
        return f" {self.marks[step]}" if self.marks and step in self.marks else ""


def sheet_of(run: RunDirectory) -> Sheet:
    """Read the previews of a run; it may take a moment."""
    story = fold(EventReader(run.events).poll())
    found = suggest(story.course, there(run))
    marks = dict.fromkeys(story.course.saved, "✓ saved")
    if found is not None and found.is_measured:
        marks[found.step] = "★ suggested"
    rows = [shown_of(run, row) for row in rows_of(story.previews)]
    return Sheet([row for row in rows if row], marks)
