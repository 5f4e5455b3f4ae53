"""How findings look: signs, words and actions in a table, and the verdict."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trainer_core.data.listing import counted
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.doctor.finding import Finding

_SIGNS = {"ok": ("✓", "green"), "note": ("i", "yellow"), "problem": ("✗", "bold red")}


def findings_view(findings: Sequence["Finding"]) -> RenderableType:
    """Return the findings under their headings."""
    parts: list[RenderableType] = []
    for section in dict.fromkeys(finding.section for finding in findings):
        rows = [finding for finding in findings if finding.section == section]
        parts += [Text(safe_text(section, 60), "bold"), Padding(_table(rows), (0, 1, 1, 2), expand=False)]
    return Group(*parts)


def verdict(findings: Sequence["Finding"]) -> Text:
    """Return whether this machine can train, in a line."""
    count = sum(finding.level == "problem" for finding in findings)
    if count:
        return Text(f"✗ {counted(count, 'problem')}: see the lines with ✗", "bold red")
    return Text("✓ this machine can train", "green")


def _table(findings: Sequence["Finding"]) -> RenderableType:
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
