"""How presets look: a table and highlighted TOML on a terminal, plain text on a pipe."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dbtui.presets.inspect import Inspected
from trainer_core.text import safe_text

_ORIGINS = {"shipped": "dbtui", "yours": "you", "file": "file", "model": "model"}
_LONGEST_LINE = 4000


def print_list(presets: Sequence[Inspected]) -> None:
    """Print one line for each preset."""
    if not sys.stdout.isatty():
        for preset in presets:
            sys.stdout.write("\t".join(_cells(preset)) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("Preset", no_wrap=True, style="cyan")
    table.add_column("Card", no_wrap=True, justify="right")
    table.add_column("What it is", ratio=1)
    table.add_column("Measured")
    table.add_column("From", no_wrap=True)
    for preset in presets:
        name, card, measured, origin, title = _cells(preset)
        style = "dim" if measured == "unverified" else "red" if preset.problems else ""
        table.add_row(Text(name), Text(card), Text(title), Text(measured, style=style), Text(origin))
    Console().print(table)


def print_preset(preset: Inspected) -> None:
    """Tell what a preset is, on stderr, where a person looks at a terminal."""
    if not sys.stdout.isatty():
        return
    console = Console(stderr=True)
    name, card, measured, origin, title = _cells(preset)
    console.print(Text.assemble((name, "bold cyan"), "  ", title))
    if preset.config and preset.config.preset.description:
        console.print(Text(safe_text(preset.config.preset.description, limit=2000)))
    about = preset.config.preset if preset.config else None
    author, licence = (safe_text(about.author), safe_text(about.license)) if about else ("", "")
    facts = [f"card {card}" if card else "", measured, f"by {author}" if author else "", licence]
    facts += [f"from {origin}", safe_text(preset.preset.path)]
    console.print(Text(" · ".join(fact for fact in facts if fact), style="dim"))
    for problem in preset.problems:
        console.print(Text(f"problem: {problem}", style="red"))
    console.print()


def print_toml(text: str) -> None:
    """Print TOML: highlighted and made safe on a terminal, exactly as it is on a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    Console().print(highlighted(text))


def highlighted(text: str) -> Text:
    """Return TOML in the terminal's own colours, made safe."""
    safe = "\n".join(safe_text(line, limit=_LONGEST_LINE) for line in text.splitlines())
    shown = Text(safe)
    for start, end, style in Syntax("", "toml", theme="ansi_dark").highlight(safe).spans:
        if isinstance(style, Style):  # without the background, which is not the screen's
            shown.stylize(Style(color=style.color, dim=style.dim), start, end)
    return shown


def _cells(preset: Inspected) -> tuple[str, str, str, str, str]:
    """Return name, card, measured, origin and title, all safe to show."""
    about = preset.config.preset if preset.config else None
    card = f"{about.min_vram_gb:g} GB" if about and about.min_vram_gb else ""
    count = len(preset.problems)
    broken = f"{count} problem{'s' if count > 1 else ''}: dbtui preset check {safe_text(preset.preset.name)}"
    return (
        safe_text(preset.preset.name, limit=64),
        card,
        preset.measured if about else "broken",
        _ORIGINS[preset.preset.origin],
        safe_text(about.title if about else broken, limit=120),
    )
