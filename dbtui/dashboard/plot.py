"""A line plot of braille dots, two columns and four rows of dots in each character. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

Point = tuple[float, float]
Role = Literal["axis", "raw", "smooth", "mark"]

_BRAILLE = 0x2800
_MARK = "◆"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bit of each dot: column, then row from the top (Unicode 2800)."""


class Span(NamedTuple):
    """A piece of a line and what it shows."""

    text: str
    role: Role


def loss_plot(
    raw: Sequence[Point], smooth: Sequence[Point], width: int, height: int, marks: Sequence[Point] = ()
) -> list[list[Span]]:
    """Draw two lines over one another as `height` rows of `width` characters, axes among them.

    Points are (step, loss) with rising steps; the steps axis begins at 0. `marks` are drawn one by one over the
    lines. Outliers of `raw` may leave the picture. Fewer than two points, or less room than 12 x 3, give no rows.
    """
    if len(smooth) < 2 or width < 12 or height < 3:
        return []
    low, high = _range(raw, [*smooth, *marks])
    labels = _labels(low, high, height - 1)
    margin = max(len(label) for label in labels) + 1
    columns, end = width - margin - 1, max(smooth[-1][0], 1.0)
    placed = _placed([mark for mark in marks if mark[0] <= end], columns, height - 1, (low, high, end))
    back = _braille(_sample(raw, columns * 2, end), height - 1, low, high, connected=False)
    front = _braille(_filled(_sample(smooth, columns * 2, end)), height - 1, low, high, connected=True)
    rows = []
    for row, (label, behind, before) in enumerate(zip(labels, back, front, strict=True)):
        tick = "┤" if label else "│"
        at = {column for column, place in placed if place == row}
        rows.append([Span(f"{label:>{margin}}{tick}", "axis"), *_overlay(behind, before, at)])
    rows.append([Span(_step_axis(margin, columns, end), "axis")])
    return rows


def _range(raw: Sequence[Point], smooth: Sequence[Point]) -> tuple[float, float]:
    """Return the losses to show: all of the smooth line, and the middle 90% of the raw one."""
    losses = sorted(loss for _, loss in raw)
    cut = len(losses) // 20
    shown = losses[cut : len(losses) - cut] + [loss for _, loss in smooth]
    low, high = min(shown), max(shown)
    spare = max((high - low) * 0.04, abs(high) * 1e-3, 1e-9)
    return low - spare, high + spare


def _labels(low: float, high: float, rows: int) -> list[str]:
    """Label the top, middle and bottom row with just enough digits to tell them apart."""
    step = (high - low) / rows
    values = {row: high - step * (row + 0.5) for row in {0, rows // 2, rows - 1}}
    digits = next((n for n in range(2, 7) if step * rows > 4 * 10.0**-n), 6)
    return [_label(values[row], digits) if row in values else "" for row in range(rows)]


def _label(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.1e}"


def _sample(points: Sequence[Point], columns: int, end: float) -> list[float | None]:
    """Average the points that fall into each column of dots; None where none fall."""
    totals, counts = [0.0] * columns, [0] * columns
    for step, loss in points:
        column = min(columns - 1, int(step / end * (columns - 1)))
        totals[column] += loss
        counts[column] += 1
    return [total / count if count else None for total, count in zip(totals, counts, strict=True)]


def _filled(values: list[float | None]) -> list[float | None]:
    """Fill the gaps between values in straight lines."""
    known = [(column, value) for column, value in enumerate(values) if value is not None]
    for (left, start), (right, stop) in pairwise(known):
        for column in range(left + 1, right):
            values[column] = start + (stop - start) * (column - left) / (right - left)
    return values


def _braille(values: Sequence[float | None], rows: int, low: float, high: float, connected: bool) -> list[str]:
    """Draw one value for each column of dots, two to a character, as a line or as single dots."""
    cells = [[0] * (len(values) // 2) for _ in range(rows)]
    previous: int | None = None
    for column, value in enumerate(values):
        if value is None:
            previous = None
            continue
        dot = first = last = round((high - value) / (high - low) * (rows * 4 - 1))
        if connected and previous is not None and previous != dot:  # the dot of the column before stands already
            first, last = (previous + 1, dot) if dot > previous else (dot, previous - 1)
        for row in range(max(first, 0), min(last, rows * 4 - 1) + 1):
            cells[row // 4][column // 2] |= _DOTS[column % 2][row % 4]
        previous = dot
    return ["".join(chr(_BRAILLE + bits) if bits else " " for bits in row) for row in cells]


def _placed(
    marks: Sequence[Point], columns: int, rows: int, box: tuple[float, float, float]
) -> list[tuple[int, int]]:
    """Return column and row of each mark's character."""
    low, high, end = box
    return [
        (int(step / end * (columns - 1)), round((high - value) / (high - low) * (rows * 4 - 1)) // 4)
        for step, value in marks
    ]


def _overlay(back: str, front: str, marks: set[int]) -> list[Span]:
    """Put the front line's characters over the back's, and marks over both, as few spans as possible."""
    spans: list[Span] = []
    for column, (behind, before) in enumerate(zip(back, front, strict=True)):
        role: Role = "mark" if column in marks else "raw" if before == " " else "smooth"
        character = _MARK if role == "mark" else behind if before == " " else before
        if spans and spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + character, role)
        else:
            spans.append(Span(character, role))
    return spans


def _step_axis(margin: int, columns: int, end: float) -> str:
    """Label the steps: 0, the middle if there is room, and the last."""
    middle, last = f"{end / 2:.0f}", f"{end:.0f}"
    line = "0".ljust(columns - len(last)) + last
    at = columns // 2 - len(middle) // 2
    if at > 3 and at + len(middle) + 2 < columns - len(last):
        line = line[:at] + middle + line[at + len(middle) :]
    return " " * (margin + 1) + line
