"""A picture as half blocks: each cell is two pixels, the upper one in its colour, the lower one in its ground."""

from functools import lru_cache

from PIL import Image
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

_UPPER_HALF = "▀"
_Pixel = tuple[int, int, int]


def half_blocks(picture: Image.Image, width: int, height: int) -> list[Strip]:
    """Draw `picture` as large as it fits into `width` x `height` cells, in the middle; a cell is 1 x 2 pixels."""
    if width < 1 or height < 1:
        return []
    columns, rows = fitted(picture.size, (width, 2 * height))
    pixels = _pixels(picture, columns, rows)
    lines = [pixels[row : row + 2] for row in range(0, rows, 2)]
    left, above = (width - columns) // 2, (height - len(lines)) // 2
    empty = Strip.blank(width)
    drawn = [_strip(line, left, width) for line in lines]
    return [empty] * above + drawn + [empty] * (height - above - len(drawn))


def fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape inside `room`, at least 1 x 1."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, min(room[0], round(size[0] * scale))), max(1, min(room[1], round(size[1] * scale)))


def _pixels(picture: Image.Image, columns: int, rows: int) -> list[list[_Pixel]]:
    data = picture.convert("RGB").resize((columns, rows), Image.Resampling.BOX).tobytes()
    cells = [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]
    return [cells[row * columns : (row + 1) * columns] for row in range(rows)]


def _strip(lines: list[list[_Pixel]], left: int, width: int) -> Strip:
    upper = lines[0]
    lower: list[_Pixel | None] = [*lines[1]] if len(lines) > 1 else [None] * len(upper)
    cells = [Segment(_UPPER_HALF, _style(*pair)) for pair in zip(upper, lower, strict=True)]
    blank = [Segment(" " * left)] if left else []
    return Strip([*blank, *cells]).adjust_cell_length(width).simplify()


@lru_cache(maxsize=4096)
def _style(upper: _Pixel, lower: _Pixel | None) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower) if lower else None)
