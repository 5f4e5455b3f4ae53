"""What the demo ends with, printed: pictures before and after, and the course of the loss."""

import sys
from contextlib import suppress
from pathlib import Path

from PIL import Image

from dbtui.demo.before_after import Pair, draw_rows, read_pairs, save_sheet
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

SHEET = "before-after.png"
_PLOT_ROWS = 10
_WIDE, _MOST_COLUMNS = 120, 132


def show_result(run: RunDirectory) -> Path | None:
    """Print the demo's pictures and its loss where stdout is a terminal; return the sheet, if there is one."""
    pairs = read_pairs(run)
    if sys.stdout.isatty():
        with suppress(OSError):
            _print_pairs(pairs)
        _print_loss(run)
    with suppress(OSError, ValueError):
        save_sheet(draw_rows(pairs), run.path / SHEET)
        return run.path / SHEET
    return None


def _print_pairs(pairs: list[Pair]) -> None:
    """Print a row for each prompt; only its first seed where the terminal is narrow."""
    from rich.console import Console

    if Console().width < _WIDE:
        pairs = list({pair.prompt: pair for pair in reversed(pairs)}.values())[::-1]
    for prompt, row in draw_rows(pairs).items():
        _print_row(prompt, row)


def _print_row(prompt: str, row: Image.Image) -> None:
    from rich.console import Console
    from rich.segment import Segment, Segments

    from dbtui.wizard.widgets.half_blocks import half_blocks

    console = Console()
    columns = min(_MOST_COLUMNS, console.width)
    height = max(1, round(columns * row.height / row.width / 2))
    half = columns // 2
    sys.stdout.write(f"\n{safe_text(prompt)}\n{'before':<{half}}after\n")
    for strip in half_blocks(row, columns, height):
        console.print(Segments([*strip, Segment.line()]), no_wrap=True, end="")


def _print_loss(run: RunDirectory) -> None:
    from rich.console import Console
    from rich.text import Text

    from dbtui.dashboard.plot import loss_plot
    from dbtui.dashboard.state import fold
    from dbtui.dashboard.view import PLOT_STYLES
    from trainer_core.run.events import EventReader

    console, bins = Console(), fold(EventReader(run.events).poll()).curve.bins
    raw = [(float(each.last), each.mean) for each in bins]
    smooth = [(float(each.last), each.smooth) for each in bins]
    sys.stdout.write("\nloss\n")
    for line in loss_plot(raw, smooth, min(_MOST_COLUMNS, console.width), _PLOT_ROWS):
        console.print(Text.assemble(*((span.text, PLOT_STYLES[span.role]) for span in line)), no_wrap=True)
