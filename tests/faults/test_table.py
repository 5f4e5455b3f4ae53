"""The table itself: what passed, what failed, what was not possible and why, and what nobody tried."""

from types import SimpleNamespace

import pytest

from tests.faults.table import AcceptanceTable


def report(row: int, outcome: str, when: str = "call", reason: str = "") -> pytest.TestReport:
    longrepr = ("file.py", 1, f"Skipped: {reason}") if reason else None
    return pytest.TestReport(
        nodeid=f"tests/test_x.py::test_{row}",
        location=("", 0, ""),
        keywords={},
        outcome=outcome,
        longrepr=longrepr,
        when=when,
        user_properties=[("rows", [row])],
        duration=1.0,
    )


def told(*reports: pytest.TestReport) -> tuple[list[str], int]:
    """Return the lines of a table of rows 1 to 4 and the exit status that it leads to."""
    table = AcceptanceTable(SimpleNamespace(), frozenset({1, 2, 3, 4}))
    for each in reports:
        table.pytest_runtest_logreport(each)
    session = SimpleNamespace(exitstatus=0)
    table.pytest_sessionfinish(session)
    return list(table.lines()), int(session.exitstatus)


def test_each_row_has_its_word():
    lines, status = told(
        report(1, "passed"),
        report(2, "failed"),
        report(3, "skipped", "setup", "only root can mount a file system"),
    )
    by_row = {line.split()[0]: line for line in lines if line.startswith(" ")}
    assert "passed (1, 1.0 s)" in by_row["1"]
    assert "FAILED: test_2" in by_row["2"]
    assert "not possible here: only root can mount a file system" in by_row["3"]
    assert "NO TEST RAN" in by_row["4"]
    assert status == 1


def test_one_failure_outweighs_what_passed_and_an_error_at_the_end_counts():
    lines, status = told(report(1, "passed"), report(1, "failed", "teardown"))
    assert any("FAILED (1, 2.0 s): test_1" in line for line in lines)
    assert status == 1


def test_what_is_not_possible_here_is_not_red():
    lines, status = told(
        report(1, "passed"), report(2, "passed"), report(3, "skipped", "setup", "no"), report(4, "passed")
    )
    assert status == 0
    assert lines[-1] == "3 passed, 1 not possible here"
