"""The acceptance table in docs/reliability.md, with the files whose tests prove each row; see `make generate`."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.faults.table import groups

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- acceptance table: begin -->", "<!-- acceptance table: end -->"
_MARK = re.compile(r"mark\.row\(([\d, ]+)\)")


def proofs() -> dict[int, list[str]]:
    """Return the files with tests of each row, as their names below tests/."""
    found: dict[int, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        numbers = {
            int(each) for words in _MARK.findall(file.read_text(encoding="utf-8")) for each in words.split(",")
        }
        for number in numbers:
            found.setdefault(number, []).append(str(file.relative_to(ROOT / "tests")))
    return found


def with_table(page: str) -> str:
    """Return the page with the table between its marks written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *_lines(), END + after])


def _lines() -> Iterator[str]:
    files = proofs()
    for title, rows in groups().items():
        yield f"\n### {title}\n"
        yield "| row | what is done | what must come of it | tests |"
        yield "|---|---|---|---|"
        for row in rows:
            where = ", ".join(f"`{name}`" for name in files.get(row.number, ()))
            yield f"| {row.number} | {row.fault} | {row.expected} | {where} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
