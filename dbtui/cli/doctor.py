"""`dbtui doctor`: whether training is possible on this machine, and what to do where it is not."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from dbtui.cli import options
from trainer_core.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dbtui.doctor.finding import Finding

_SIGNS = {"ok": ("✓", "green"), "note": ("i", "yellow"), "problem": ("✗", "bold red")}


def doctor(runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False) -> int:
    """Look at torch, the GPU, libraries, disk and terminal of this machine. Exit code 1 if there is a problem."""
    from dbtui.cli.output import print_json
    from dbtui.doctor.examine import examine

    out = sys.stdout  # the spinner puts something else in its place
    with _telling() as tell:
        findings = list(examine(runs_dir, out, tell))
    problems = [finding for finding in findings if finding.level == "problem"]
    if as_json:
        print_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    return int(ExitCode.FAILED if problems else ExitCode.DONE)


def _print(findings: list["Finding"]) -> None:
    from rich.console import Console
    from rich.padding import Padding

    console = Console(highlight=False, markup=False, emoji=False)
    for section in dict.fromkeys(finding.section for finding in findings):
        console.print()
        console.print(section, style="bold")
        rows = [finding for finding in findings if finding.section == section]
        console.print(Padding(_table(rows), (0, 1, 0, 2), expand=False))
    console.print()
    console.print(_verdict(findings))


def _table(findings: list["Finding"]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    from trainer_core.text import safe_text

    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(max_width=24, overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        sign, style = _SIGNS[finding.level]
        words = Text(safe_text(finding.text, 600))
        if finding.action:
            words.append(f"\n→ {safe_text(finding.action, 400)}", "cyan")
        table.add_row(Text(sign, style), Text(safe_text(finding.name, 60)), words)
    return table


def _verdict(findings: list["Finding"]) -> "RenderableType":
    from rich.text import Text

    from trainer_core.data.listing import counted

    count = sum(finding.level == "problem" for finding in findings)
    if count:
        return Text(f"✗ {counted(count, 'problem')}: see the lines with ✗", "bold red")
    return Text("✓ this machine can train", "green")


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Say on stderr what is being looked at, where that is a terminal; nothing of it stays."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking around ...") as status:
        yield lambda text: status.update(f"looking at {text} ...")
