"""The acceptance table: which tests prove which row, and a table of how it went, printed at the end.

A test names its rows with `@pytest.mark.row(6)`, wherever it lies. `pytest --faults` (`make test-faults`) runs
every such test and is red where a row failed, or has no test that ran and no reason why.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EVERY_ROW = "all"
MARKS = "row and not gpu"
_ROWS = Path(__file__).with_name("rows.toml")
_WIDTH = 62


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, what is done, and what must come of it."""

    number: int
    fault: str
    expected: str


def groups() -> dict[str, list[Row]]:
    """Return the rows under the heading of their group."""
    return {
        group["title"]: [Row(*row) for row in group["rows"]]
        for group in tomllib.loads(_ROWS.read_text(encoding="utf-8"))["group"]
    }


def rows() -> dict[int, Row]:
    """Return every row by its number."""
    return {row.number: row for each in groups().values() for row in each}


@dataclass(slots=True)
class Outcome:
    """What the tests of one row came to; a row passes where one test passed and none failed."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def word(self) -> str:
        if self.failed:
            return "FAILED"
        if self.passed:
            return "passed"
        return "not possible here" if self.reasons else "NO TEST RAN"

    @property
    def is_red(self) -> bool:
        return self.word.isupper()

    def remark(self) -> str:
        """What needs to be added: what failed, why something was not possible."""
        if self.failed:
            return ", ".join(self.failed)
        return "; ".join(self.reasons)


class AcceptanceTable:
    """Collects how the tests of each row went; `wanted` are the rows to run, None for any other run of pytest."""

    def __init__(self, config: pytest.Config, wanted: frozenset[int] | None) -> None:
        self.config = config
        self.wanted = wanted
        self.outcomes = {number: Outcome() for number in sorted(wanted or rows())}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = []
        for item in items:
            numbers = rows_of(item)
            if unknown := numbers - rows().keys():
                raise pytest.UsageError(f"{item.nodeid} names rows that there are not: {sorted(unknown)}")
            item.user_properties.append(("rows", sorted(numbers)))
            if self.wanted is not None and not numbers & self.wanted:
                left_out.append(item)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for number in dict(report.user_properties).get("rows", ()):
            if number in self.outcomes:
                self._note(self.outcomes[number], report)

    def _note(self, outcome: Outcome, report: pytest.TestReport) -> None:
        outcome.seconds += report.duration
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            if name not in outcome.failed:
                outcome.failed.append(name)
        elif report.skipped and isinstance(report.longrepr, tuple):
            outcome.reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1
        elif report.when == "call" and report.passed:
            outcome.passed += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        is_worker = hasattr(self.config, "workerinput")
        if self.wanted is not None and not is_worker and any(each.is_red for each in self.outcomes.values()):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.config.option.collectonly:
            return
        if self.wanted is not None:
            for line in self.lines():
                terminalreporter.write_line(line)
        elif self.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            passed = sum(each.word == "passed" for each in self.outcomes.values())
            terminalreporter.write_line(
                f"acceptance table, short form: {passed} of {len(self.outcomes)} rows; `make test-faults` runs all"
            )

    def lines(self) -> Iterator[str]:
        """The table as text."""
        for title, members in groups().items():
            shown = [row for row in members if row.number in self.outcomes]
            if shown:
                yield ""
                yield title
            for row in shown:
                outcome = self.outcomes[row.number]
                yield f"{row.number:>4}  {row.fault[:_WIDTH]:<{_WIDTH}}  {_told(outcome)}"
        counted = Counter(outcome.word for outcome in self.outcomes.values())
        yield ""
        yield ", ".join(f"{count} {word}" for word, count in counted.items())


def _told(outcome: Outcome) -> str:
    words = f"{outcome.word} ({outcome.passed}, {outcome.seconds:.1f} s)" if outcome.passed else outcome.word
    return f"{words}: {outcome.remark()}" if outcome.remark() else words


def rows_of(item: pytest.Item) -> set[int]:
    """Return the numbers of the rows that a test proves."""
    return {number for mark in item.iter_markers("row") for number in mark.args}


def _numbers(asked: str) -> frozenset[int]:
    numbers = frozenset(int(word) for word in asked.split(",") if word.strip().isdecimal())
    if not numbers or numbers - rows().keys():
        raise pytest.UsageError(f"--faults={asked} names no rows of the table: give numbers as --faults=6,12")
    return numbers


def add_option(parser: pytest.Parser) -> None:
    """Add --faults to pytest's command line."""
    parser.addoption(
        "--faults",
        nargs="?",
        const=EVERY_ROW,
        metavar="ROWS",
        help="run the acceptance table, or these rows of it (6,12), and print it",
    )


def install(config: pytest.Config) -> None:
    """Put the table into this run of pytest."""
    asked = config.getoption("--faults")
    wanted = None
    if asked is not None:
        config.option.markexpr = MARKS
        wanted = frozenset(rows() if asked == EVERY_ROW else _numbers(asked))
    config.pluginmanager.register(AcceptanceTable(config, wanted), "acceptance-table")
