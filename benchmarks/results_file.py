"""Figures of a benchmark: medians, the machine they come from, and the files that keep them."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = RESULTS.parents[1] / "docs" / "benchmarks.md"
_LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "bitsandbytes", "xformers", "typer", "rich")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of repeated measurements."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Summarise `values`, of which there is at least one."""
        return Spread(statistics.median(values), min(values), max(values))

    def as_dict(self, digits: int = 4) -> dict[str, float]:
        """Return the three numbers for a JSON file."""
        return {
            "median": round(self.median, digits),
            "min": round(self.low, digits),
            "max": round(self.high, digits),
        }


def ratios(dividends: Sequence[float], divisors: Sequence[float]) -> Spread:
    """Return the spread of the ratio of each repetition: both were measured next to each other."""
    return Spread.of([dividend / divisor for dividend, divisor in zip(dividends, divisors, strict=True)])


def machine() -> dict[str, Any]:
    """Return what a reader needs to judge the figures; nothing that identifies the machine."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load_1_minute_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def write_results(path: Path, results: dict[str, Any], table: str | None = None, page: Path = PAGE) -> None:
    """Write a JSON file and a Markdown file beside it; a committed table goes into a page of the docs too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if table is None:
        return
    path.with_suffix(".md").write_text(table, encoding="utf-8")
    if path.parent == RESULTS and page.is_file():
        page.write_text(with_table(page.read_text(encoding="utf-8"), path.stem, table), encoding="utf-8")


def with_table(page: str, name: str, table: str) -> str:
    """Return `page` with `table`, less its title, between the comments that name it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"the page has no place for the table {name}")
    body = table.partition("\n")[2]
    return f"{before}{begin}{body}\n{rest[rest.index(end) :]}"


def say(text: str) -> None:
    """Tell on stderr what goes on; stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
