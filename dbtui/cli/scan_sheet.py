"""One contact sheet: pictures in a grid with their facts and texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from trainer_core.data.augment import Variation
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item
from trainer_core.text import safe_text

PICTURE = 288
"""Longest side of a picture on a sheet, in pixels."""
COLUMNS, ROWS = 5, 4

_GAP = 20
_LINE = 19
_TEXT_LINES = 4
_HEAD = 48
_CELL = PICTURE + _GAP, PICTURE + (2 + _TEXT_LINES) * _LINE + _GAP
_BACK, _FRAME, _WORDS, _FAINT, _FACTS = (
    (30, 31, 36),
    (70, 72, 80),
    (235, 235, 238),
    (160, 163, 172),
    (255, 170, 90),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a sheet: its item, how it is fitted and varied, and its text."""

    item: Item
    fit: Fit
    variation: Variation
    text: str


def draw_sheet(pictures: Sequence[tuple[Shown, Image.Image | str]], number: int, count: int) -> Image.Image:
    """Draw one sheet; instead of a picture that cannot be read there is the reason."""
    rows = -(-len(pictures) // COLUMNS)
    columns = COLUMNS if count > 1 else min(COLUMNS, max(3, len(pictures)))
    sheet = Image.new("RGB", (columns * _CELL[0] + _GAP, _HEAD + rows * _CELL[1] + _GAP), _BACK)
    draw = ImageDraw.Draw(sheet)
    head = f"as the trainer sees them, each picture in its first step   (sheet {number} of {count})"
    draw.text((_GAP, _GAP), head, _WORDS, _font(17))
    for place, (shown, picture) in enumerate(pictures):
        left, top = _GAP + place % columns * _CELL[0], _HEAD + _GAP // 2 + place // columns * _CELL[1]
        _draw_cell(sheet, draw, (left, top), shown, picture)
    return sheet


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], shown: Shown, picture: Image.Image | str
) -> None:
    left, top = at
    if isinstance(picture, str):
        draw.rectangle((left, top, left + PICTURE, top + PICTURE), outline=_FRAME)
        for row, line in enumerate(_wrapped(picture, PICTURE - 20, 10, 14)):
            draw.text((left + 10, top + 10 + row * _LINE), line, _FACTS, _font(14))
    else:
        x, y = left + (PICTURE - picture.width) // 2, top + (PICTURE - picture.height)
        draw.rectangle((x - 1, y - 1, x + picture.width, y + picture.height), outline=_FRAME)
        sheet.paste(picture, (x, y))
    top += PICTURE + 6
    width, height = shown.fit.bucket
    facts = [f"{width} x {height}", *(["class"] if shown.item.is_class else []), *_varied(shown.variation)]
    draw.text((left, top), _cut("  ".join(facts), PICTURE, 14), _FACTS, _font(14))
    path = shown.item.picture.path
    draw.text((left, top + _LINE), _cut(safe_text(path.name), PICTURE, 14), _FAINT, _font(14))
    text = safe_text(shown.text) if shown.text else "(no text in this step)"
    for row, line in enumerate(_wrapped(text, PICTURE, _TEXT_LINES, 15)):
        draw.text((left, top + (2 + row) * _LINE), line, _WORDS if shown.text else _FAINT, _font(15))


def _varied(variation: Variation) -> Iterator[str]:
    if variation.flip:
        yield "mirrored"
    if variation.angle:
        yield f"turned {variation.angle:+.1f}°"
    if variation.hue or variation.saturation != 1 or variation.gamma != 1:
        yield f"hue {variation.hue:+.0f}°"
    if variation.brightness != 1:
        yield f"light {variation.brightness:.0%}"


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
