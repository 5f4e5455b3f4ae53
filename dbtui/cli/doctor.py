"""`dbtui doctor`: whether training is possible on this machine, and what to do where it is not."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from dbtui.cli import options
from trainer_core.errors import ExitCode

if TYPE_CHECKING:
    from dbtui.doctor.finding import Finding


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

    from dbtui.doctor.show import findings_view, verdict

    console = Console(highlight=False, markup=False, emoji=False)
    console.print()
    console.print(findings_view(findings))
    console.print(verdict(findings))


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Say on stderr what is being looked at, where that is a terminal; nothing of it stays."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking around ...") as status:
        yield lambda text: status.update(f"looking at {text} ...")
