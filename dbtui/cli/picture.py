"""A picture printed to a terminal, as half blocks."""

from contextlib import suppress
from pathlib import Path

_MOST_COLUMNS, _LINES_LEFT = 64, 4


def print_picture(path: Path) -> None:
    """Print the picture at `path` as large as it is of use; nothing where it cannot be read."""
    from PIL import Image
    from rich.console import Console
    from rich.segment import Segment, Segments

    from dbtui.wizard.widgets.half_blocks import half_blocks

    console = Console()
    with suppress(OSError, ValueError), Image.open(path) as picture:
        columns = min(_MOST_COLUMNS, console.width)
        rows = max(4, min(console.height - _LINES_LEFT, round(columns / 2 * picture.height / picture.width)))
        columns = min(columns, round(rows * 2 * picture.width / picture.height))
        for strip in half_blocks(picture, columns, rows):
            console.print(Segments([*strip, Segment.line()]), no_wrap=True, end="")
