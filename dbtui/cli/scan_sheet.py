"""One contact sheet: pictures in a grid, and under each its size, its file and its text."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from trainer_core.data.augment import Variation
from trainer_core.data.shown import Shown
from trainer_core.text import safe_text

PICTURE = 288
"""Longest side of a picture on a sheet, in pixels."""
COLUMNS, ROWS = 5, 4

_GAP = 20
_LINE = 19
_TEXT_LINES = 4
_HEAD = 56
_REPLACED = {"\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
_BACK, _FRAME, _WORDS, _FAINT, _FACTS = (
    (30, 31, 36),
    (70, 72, 80),
    (235, 235, 238),
    (160, 163, 172),
    (255, 170, 90),
)


def draw_sheet(pictures: Sequence[tuple[Shown, Image.Image | str]], number: int, count: int) -> Image.Image:
    """Draw one sheet; instead of a picture that cannot be read there is the reason."""
    cells = [_Cell(picture, _words(shown)) for shown, picture in pictures]
    rows = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
    height = _HEAD + sum(_row_height(row) for row in rows)
    columns = min(COLUMNS, max(3, len(cells)))
    sheet = Image.new("RGB", (columns * (PICTURE + _GAP) + _GAP, height), _BACK)
    head = f"as the trainer sees them, each picture in its first step   (sheet {number} of {count})"
    ImageDraw.Draw(sheet).text((_GAP, _GAP), head, _WORDS, _font(17))
    top = _HEAD
    for row in rows:
        ground = top + max(cell.height for cell in row)
        for place, cell in enumerate(row):
            _draw_cell(sheet, cell, _GAP + place * (PICTURE + _GAP), ground)
        top += _row_height(row)
    return sheet


@dataclass(frozen=True, slots=True)
class _Cell:
    """A picture (or why there is none) and the lines under it, each with colour and size."""

    picture: Image.Image | str
    lines: list[tuple[str, tuple[int, int, int], int]]

    @property
    def height(self) -> int:
        return PICTURE // 2 if isinstance(self.picture, str) else self.picture.height


def _row_height(row: Sequence[_Cell]) -> int:
    return max(cell.height for cell in row) + max(len(cell.lines) for cell in row) * _LINE + _GAP + _GAP // 2


def _words(shown: Shown) -> list[tuple[str, tuple[int, int, int], int]]:
    width, height = shown.fit.bucket
    facts = [f"{width} x {height}", *(["class"] if shown.item.is_class else [])]
    facts += ["mirrored"] if shown.variation.flip else []
    lines = [("   ".join(facts), _FACTS, 14)]
    if varied := "   ".join(_varied(shown.variation)):
        lines.append((_cut(varied, PICTURE, 14), _FACTS, 14))
    lines.append((_cut(_legible(safe_text(shown.item.picture.path.name)), PICTURE, 14), _FAINT, 14))
    if not shown.text:
        return [*lines, ("(no text in this step)", _FAINT, 15)]
    return lines + [
        (line, _WORDS, 15) for line in _wrapped(_legible(safe_text(shown.text)), PICTURE, _TEXT_LINES, 15)
    ]


def _draw_cell(sheet: Image.Image, cell: _Cell, left: int, ground: int) -> None:
    """Draw a cell whose picture stands on the line `ground`."""
    draw, picture = ImageDraw.Draw(sheet), cell.picture
    if isinstance(picture, str):
        draw.rectangle((left, ground - cell.height, left + PICTURE - 1, ground - 1), outline=_FRAME)
        for row, line in enumerate(_wrapped(_legible(safe_text(picture)), PICTURE - 20, 6, 14)):
            draw.text((left + 10, ground - cell.height + 10 + row * _LINE), line, _FACTS, _font(14))
    else:
        x, y = left + (PICTURE - picture.width) // 2, ground - picture.height
        draw.rectangle((x - 1, y - 1, x + picture.width, y + picture.height), outline=_FRAME)
        sheet.paste(picture, (x, y))
    for row, (line, colour, size) in enumerate(cell.lines):
        draw.text((left, ground + 6 + row * _LINE), line, colour, _font(size))


def _varied(variation: Variation) -> Iterator[str]:
    if variation.angle:
        yield f"turned {variation.angle:+.1f}°"
    if variation.hue or variation.saturation != 1 or variation.gamma != 1:
        yield f"hue {round(variation.hue):+d}°"
    if variation.brightness != 1:
        yield f"light {variation.brightness:.0%}"


def _legible(text: str) -> str:
    """Replace letters that the font lacks by their base letters, where they have one."""
    return "".join(map(_with_glyph, text))


@cache
def _with_glyph(letter: str) -> str:
    if _has_glyph(letter):
        return letter
    base = _REPLACED.get(letter) or unicodedata.normalize("NFKD", letter)[0]
    return base if _has_glyph(base) else letter


def _has_glyph(letter: str) -> bool:
    return bytes(_font(15).getmask(letter)) != bytes(_font(15).getmask("\uffff"))


def _wrapped(text: str, width: int, lines: int, size: int) -> list[str]:
    """Break `text` into at most `lines` lines of `width` pixels, the last one cut; long words are broken."""
    rest, wrapped = text, list[str]()
    while rest and len(wrapped) < lines - 1 and _width(rest, size) > width:
        fitting = len(_fitting(rest, width, size))
        space = rest.rfind(" ", 1, fitting + 1)
        end = space if space > fitting // 2 else fitting
        wrapped.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*wrapped, _cut(rest, width, size)] if rest else wrapped


def _cut(text: str, width: int, size: int) -> str:
    return (
        text if _width(text, size) <= width else _fitting(text, width - round(_width("...", size)), size) + "..."
    )


def _fitting(text: str, width: float, size: int) -> str:
    """The longest beginning of `text`, of one character at least, that is not wider than `width`."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(text[:middle], size) <= width else (low, middle - 1)
    return text[:low]


def _width(text: str, size: int) -> float:
    return _font(size).getlength(text)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
