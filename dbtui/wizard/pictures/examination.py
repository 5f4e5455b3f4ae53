"""What is known of the chosen folders just now: being looked at, found, or why not."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures.chosen import folder_of, without_folder, words_of
from dbtui.wizard.pictures.found import Found, Progress
from dbtui.wizard.pictures.look import Looked
from dbtui.wizard.pictures.words import can_skip
from trainer_core.data.listing import counted
from trainer_core.errors import UserError
from trainer_core.text import safe_text


@dataclass(slots=True)
class Examination:
    """One look at the folders, from the question to the answer.

    Attributes:
        folder: of the subject that is shown, as it was typed.
        progress: of the scan under way; None when none is.
        looked: what the folder is.
        found: what the scan found.
        errors: why there was no scan.
    """

    folder: str = ""
    progress: Progress | None = None
    looked: Looked | None = None
    found: Found | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether there is an answer, good or bad."""
        return self.progress is None and bool(self.found or self.errors or (self.looked and self.looked.problem))

    def fail(self, error: UserError | OSError) -> None:
        """Take an error for the answer."""
        self.errors = list(error.problems) if isinstance(error, UserError) else [error.strerror or str(error)]

    def way(self) -> str:
        """Say how far it is."""
        if self.progress is None:
            return ""
        if not self.progress.total:
            return "looking into the folder …"
        done, total = self.progress.done, self.progress.total
        return f"looking at the pictures: {done:,} of {total:,} (leaving or another folder stops it)"


def problems_of_step(draft: Draft, examined: Examination) -> list[str]:
    """Return what keeps from going on, each with the next action."""
    missing = without_folder(draft)
    names = _safely(lambda: words_of(draft))
    problems = [f"choose the folder with the pictures{_of(names, number)}" for number in missing]
    if examined.looked and examined.looked.problem and folder_of(draft, 0):
        problems.append(examined.looked.problem)
    problems += examined.errors
    found = examined.found
    if found and found.problems:
        bad = len(found.scan.bad_images)
        skip = f"s leaves {counted(bad, 'unreadable picture')} out, " if can_skip(found) else ""
        problems.append(f"{counted(len(found.problems), 'problem')} to mend first: {skip}p lists everything")
    return problems


def _of(names: list[str], number: int) -> str:
    return f' of "{safe_text(names[number], 60)}"' if number < len(names) and names[number] else ""


def _safely(words: Callable[[], list[str]]) -> list[str]:
    try:
        return words()
    except UserError:  # the preset is gone: told elsewhere
        return []
