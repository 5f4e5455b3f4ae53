"""Shows that the learning test can fail: breaks the trainer on purpose, one thing at a time, and runs the test.

    python tools/break_learning.py [--only NAME ...] [--jobs N]     names are in tools/learning_breakages.py

Prints a table. Exits with 1 if the test stays green with a breakage, or is not green without.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from learning_breakages import BREAKAGES

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["beats_the_start", "drawn_for_its_identifier", "class_pictures", "text_encoder_alone"]
HEADS = ["learns the subject", "identifier and class apart", "class pictures keep the class", "text encoder alone"]


class Seen:
    """Remembers what each test came to: "green", "red", or "error" where it was not even begun."""

    def __init__(self) -> None:
        self.outcomes: dict[str, tuple[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pytest's own hook, after each phase of each test."""
        measured = dict(report.user_properties).get("measured", float("nan"))
        if report.when == "call":
            self.outcomes[report.nodeid] = ("green" if report.passed else "red", measured)
        elif report.failed:
            self.outcomes[report.nodeid] = ("error", measured)


def main() -> int:
    """Run the test with each breakage, in a process of its own, and print the table."""
    words = _parse()
    if words.run_broken:
        return _run_broken(words.run_broken)
    with ThreadPoolExecutor(words.jobs) as pool:
        found = dict(zip(words.only, pool.map(_in_a_process, words.only), strict=True))
    print(f"| broken | how | {' | '.join(HEADS)} |\n|---|---|" + "---|" * len(HEADS))
    for name, outcomes in found.items():
        cells = (f"{word} ({measured:.2f})" for word, measured in map(tuple, outcomes))
        print(f"| {BREAKAGES[name].part} | {BREAKAGES[name].words} | {' | '.join(cells)} |")
    return int(any(not _is_as_it_should_be(name, outcomes) for name, outcomes in found.items()))


def _is_as_it_should_be(name: str, outcomes: list[Any]) -> bool:
    seen = [word for word, _ in outcomes]
    return "error" not in seen and ("red" in seen) == (name != "none")


def _in_a_process(name: str) -> list[Any]:
    command = [sys.executable, __file__, "--run-broken", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: the test did not run\n{done.stdout}{done.stderr}")
    outcomes: list[Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {outcomes}", file=sys.stderr, flush=True)
    return outcomes


def _run_broken(name: str) -> int:
    seen = Seen()
    with pytest.MonkeyPatch.context() as patch:
        BREAKAGES[name].put(patch)
        pytest.main(["-q", "-p", "no:cacheprovider", str(ROOT / "tests" / "learning")], plugins=[seen])
    ordered = [next(seen.outcomes[node] for node in seen.outcomes if part in node) for part in TESTS]
    print("\n" + json.dumps(ordered))
    return 0


def _parse() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="+", choices=list(BREAKAGES), default=list(BREAKAGES))
    asked.add_argument("--jobs", type=int, default=1, help="at a time")
    asked.add_argument("--run-broken", choices=list(BREAKAGES), help=argparse.SUPPRESS)
    return asked.parse_args()


if __name__ == "__main__":
    sys.exit(main())
