"""What learning.py and what_helps.py found: kept training by training, shown as means over seeds."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from math import sqrt
from pathlib import Path
from statistics import mean, pstdev, variance
from typing import Any

from learning_measure import Measured
from results_file import machine, write_results

NUMBERS = [field.name for field in fields(Measured)]


@dataclass(frozen=True, slots=True)
class Row:
    """One training: the name of its case, its method and seed, and what was judged of it."""

    name: str
    method: str
    seed: int
    measured: Measured


class LearningResults:
    """The trainings of one file, which is written anew after each.

    Args:
        path: the JSON file; a Markdown file goes beside it.
        page: the page of the docs that shows the table, if the file is a committed one.
        is_kept: go on with what the file has.
        compare: tells, of a row, which row of the same method it is compared with; None for no comparison.
    """

    def __init__(
        self, path: Path, title: str, page: Path, *, is_kept: bool, compare: Callable[[Row], str] | None = None
    ) -> None:
        self._path, self._title, self._page, self._compare = path, title, page, compare
        self._rows: list[Row] = []
        self._start: Measured | None = None
        self._settings: dict[str, Any] = {}
        if is_kept and path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            self._rows = [Row(**{**each, "measured": Measured(**each["measured"])}) for each in found["trainings"]]
            self._settings = found["settings"]

    def begin(self, start: Measured, settings: dict[str, Any]) -> None:
        """Take in the start model's numbers; `settings` are the same for all trainings of the file."""
        if self._rows and settings != self._settings:
            raise SystemExit(f"{self._path}: measured with {self._settings}, which {settings} cannot be added to")
        self._start, self._settings = start, settings

    def has(self, name: str, seed: int) -> bool:
        """Tell whether that training is there."""
        return any((row.name, row.seed) == (name, seed) for row in self._rows)

    def add(self, row: Row) -> None:
        """Keep one more, and write all."""
        self._rows.append(row)
        self._write()

    def table(self) -> str:
        """Return the means over the seeds as Markdown, with their standard deviations or differences."""
        head = [
            f"# {self._title}",
            "",
            f"| training | seeds | {' | '.join(NUMBERS)} |",
            "|---|---|" + "---|" * len(NUMBERS),
        ]
        lines = (
            []
            if self._start is None
            else [_line("start model", "", [f"{_of(self._start, n):.2f}" for n in NUMBERS])]
        )
        for name, rows in self._by_name().items():
            lines.append(_line(name, str(len(rows)), [self._cell(rows, number) for number in NUMBERS]))
        return "\n".join([*head, *lines, ""])

    def _cell(self, rows: Sequence[Row], number: str) -> str:
        values = [_of(row.measured, number) for row in rows]
        if self._compare is None:
            return f"{mean(values):.2f} ± {pstdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"
        plain = self._by_name().get(self._compare(rows[0]), [])
        if not plain or plain == rows:
            return f"{mean(values):.2f}"
        more = mean(values) - mean(_of(row.measured, number) for row in plain)
        is_more = abs(more) > self._chance(rows[0].method, number, len(values))
        return f"{mean(values):.2f} ({'**' * is_more}{more:+.2f}{'**' * is_more})"

    def _chance(self, method: str, number: str, seeds: int) -> float:
        """Return twice the standard error of a difference of two means over seeds, the spread that of all rows."""
        all_rows = [rows for rows in self._by_name().values() if rows[0].method == method and len(rows) > 1]
        if not all_rows:
            return float("inf")
        spread = mean(variance(_of(row.measured, number) for row in rows) for rows in all_rows)
        return 2 * sqrt(2 * spread / seeds)

    def _by_name(self) -> dict[str, list[Row]]:
        """Return the rows of each case; a method's cases stand together."""
        by_name: dict[str, list[Row]] = {}
        methods = list(dict.fromkeys(row.method for row in self._rows))
        for row in sorted(self._rows, key=lambda row: methods.index(row.method)):
            by_name.setdefault(row.name, []).append(row)
        return by_name

    def _write(self) -> None:
        found = {
            "machine": machine(),
            "settings": self._settings,
            "start model": asdict(self._start) if self._start else None,
            "trainings": [asdict(row) for row in self._rows],
        }
        write_results(self._path, found, self.table(), self._page)


def _of(measured: Measured, number: str) -> float:
    return float(getattr(measured, number))


def _line(name: str, seeds: str, numbers: Sequence[str]) -> str:
    return f"| {name} | {seeds} | {' | '.join(numbers)} |"
