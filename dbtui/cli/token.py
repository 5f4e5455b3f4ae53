"""`dbtui token`: how CLIP splits a word, whether it serves as an identifier, and rare words to use instead."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from trainer_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from trainer_core.models.identifier import WordReport


def token(
    words: Annotated[list[str], typer.Argument(help="Words to try as the identifier.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show how CLIP splits words, and whether each serves as an identifier."""
    from dbtui.cli.output import print_json
    from trainer_core.models.identifier import judge, rare_words
    from trainer_core.on_disk import is_utf8
    from trainer_core.text import safe_text

    if problems := [
        f'"{safe_text(word)}" is not UTF-8 text; type the word again' for word in words if not is_utf8(word)
    ]:
        raise UserError(problems, ExitCode.CONFIG)
    reports = [judge(word) for word in words]
    suggestions = rare_words()
    if as_json:
        print_json({"words": [asdict(report) for report in reports], "suggestions": suggestions})
        return
    _print_reports(reports, suggestions)


def _print_reports(reports: "list[WordReport]", suggestions: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    from trainer_core.text import safe_text

    colours = {"good": "green", "usable": "yellow", "poor": "red"}
    console = Console(highlight=False)
    for report in reports:
        line = Text.assemble((safe_text(report.word) or '""', "bold"), "  ")
        pieces = [f"{safe_text(piece)} ({index})" for piece, index in zip(report.tokens, report.ids, strict=True)]
        line.append("  ".join(pieces) or "no tokens", style="cyan")
        console.print(line)
        console.print(
            Text.assemble("  ", (report.verdict, colours[report.verdict]), ": ", "; ".join(report.reasons))
        )
    if any(report.verdict != "good" for report in reports):
        console.print(Text(f"\nRare words of one token: {' '.join(suggestions[:24])}", style="dim"))
