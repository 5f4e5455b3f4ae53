"""What keeps from going on: a line each, above the keys."""

from collections.abc import Iterable

from rich.text import Text
from textual.widgets import Static

from trainer_core.text import safe_text

MOST_LINES = 4


class ProblemLines(Static):
    """Shows problems with their sign; takes no room while there are none."""

    DEFAULT_CSS = """
    ProblemLines { height: auto; padding: 0 2; color: $text-error; display: none; }
    ProblemLines.-any { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def show(self, problems: Iterable[str]) -> None:
        """Show these and no others; beyond `MOST_LINES` they are counted."""
        listed = list(problems)
        lines = [f"! {safe_text(problem, 1000)}" for problem in listed[:MOST_LINES]]
        if len(listed) > MOST_LINES:
            lines.append(f"  and {len(listed) - MOST_LINES} more")
        if lines == self._lines:
            return  # asked with each letter that is typed
        self._lines = lines
        self.set_class(bool(lines), "-any")
        self.update(Text("\n".join(lines)))
