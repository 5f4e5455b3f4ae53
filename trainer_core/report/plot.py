"""Line plots as inline SVG. Pure: points in, markup out.

The lines are stretched to the width of the page; the words stand beside them as HTML, so that they can be read on
any screen. What tells lines apart is their width and dashes, not only their colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer_core.report.markup import Html, joined, tag

Point = tuple[float, float]
Style = Literal["raw", "main", "second"]

WIDTH, HEIGHT = 1000.0, 300.0
"""Units of the drawing; its shape on the page is the style sheet's."""
_COLUMNS = 500
_DECAY = 0.98
"""Weight of the past in a smoothed line, per step: it looks back about 50 steps."""
_MOST_MARKS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot; its points' steps rise."""

    name: str
    points: Sequence[Point]
    style: Style


@dataclass(frozen=True, slots=True)
class Plot:
    """What to draw.

    Attributes:
        title: what is shown.
        lines: the first ones lie below the others.
        marks: steps from which the training was resumed.
        digits: how a value is written (a format specification).
        unit: behind a value.
        from_zero: whether the axis begins at 0; else at the lowest value.
        about: one sentence about the lines, for those who cannot see them too.
    """

    title: str
    lines: Sequence[Line]
    marks: Sequence[int] = ()
    digits: str = ".4g"
    unit: str = ""
    from_zero: bool = False
    about: str = ""


def draw(plot: Plot) -> Html:
    """Return the plot as a figure; with fewer than two points, a sentence that says so."""
    lines = [line for line in plot.lines if len(line.points) > 1]
    if not lines:
        return tag("figure", tag("figcaption", tag("b", plot.title), " no numbers yet"), class_="plot")
    first, last = min(line.points[0][0] for line in lines), max(line.points[-1][0] for line in lines)
    low, high = _range(lines, plot.from_zero)
    marks = [step for step in plot.marks if first < step < last][-_MOST_MARKS:]
    frame = tag(
        "div",
        *(_y_label(value, low, high, plot) for value in ticks(low, high)),
        _drawing(plot, lines, marks, (first, last, low, high)),
        *(_mark_label(step, first, last) for step in marks),
        class_="frame",
    )
    axis = tag("div", *(tag("span", f"{step:,.0f}") for step in (first, (first + last) / 2, last)), class_="x")
    key = tag("span", *(_key(line) for line in lines), class_="key")
    caption = tag("figcaption", tag("b", plot.title), key, tag("span", plot.about, class_="about"))
    return tag("figure", caption, frame, axis, class_="plot")


def smoothed(points: Sequence[Point]) -> list[Point]:
    """Return the exponential average of the values, corrected for its start at zero."""
    average = weight = 0.0
    before: float | None = None
    result = []
    for step, value in points:
        keep = _DECAY ** max(1.0, step - before) if before is not None else 0.0
        average, weight = keep * average + (1 - _DECAY) * value, keep * weight + (1 - _DECAY)
        before = step
        result.append((step, average / weight))
    return result


def thinned(points: Sequence[Point], columns: int = _COLUMNS) -> list[Point]:
    """Return few points that draw the same line: of each column its first, lowest, highest and last one."""
    if len(points) <= 4 * columns:
        return list(points)
    first, span = points[0][0], max(points[-1][0] - points[0][0], 1e-9)
    groups: dict[int, list[Point]] = {}
    for point in points:
        groups.setdefault(min(columns - 1, int((point[0] - first) / span * columns)), []).append(point)
    kept: list[Point] = []
    for group in groups.values():
        ends = {group[0], group[-1], min(group, key=_value), max(group, key=_value)}
        kept += sorted(ends)
    return kept


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` round values between `low` and `high`, at even distances of 1, 2, 2.5 or 5 x 10^n."""
    power: float = 10.0 ** math.floor(math.log10((high - low) / most))
    factors = (1, 2, 2.5, 5, 10, 20)
    step = next(power * factor for factor in factors if (high - low) / (power * factor) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _value(point: Point) -> float:
    return point[1]


def _range(lines: Sequence[Line], from_zero: bool) -> tuple[float, float]:
    """Return the values to show: all of the main lines, and the middle 96% of a raw one."""
    shown: list[float] = []
    for line in lines:
        values = sorted(value for _, value in line.points)
        cut = len(values) // 50 if line.style == "raw" else 0
        shown += [values[cut], values[len(values) - 1 - cut]]
    low, high = (0.0 if from_zero else min(shown)), max(shown)
    spare = max((high - low) * 0.05, abs(high) * 1e-3, 1e-12)
    return (low if from_zero else low - spare), high + spare


def _drawing(
    plot: Plot, lines: Sequence[Line], marks: Sequence[int], box: tuple[float, float, float, float]
) -> Html:
    first, last, low, high = box

    def x(step: float) -> float:
        return (step - first) / max(last - first, 1e-9) * WIDTH

    def y(value: float) -> float:
        return min(HEIGHT, max(0.0, (high - value) / (high - low) * HEIGHT))

    grid = [_straight(0, y(value), WIDTH, y(value), "grid") for value in ticks(low, high)]
    resumed = [_straight(x(step), 0, x(step), HEIGHT, "mark") for step in marks]
    drawn = [
        tag(
            "polyline",
            points=Html(" ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in thinned(line.points))),
            class_=line.style,
        )
        for line in lines
    ]
    return tag(
        "svg",
        *grid,
        *resumed,
        *drawn,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{plot.title}. {plot.about}",
    )


def _straight(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=style)


def _y_label(value: float, low: float, high: float, plot: Plot) -> Html:
    place = (high - value) / (high - low)
    return tag("span", f"{value:{plot.digits}}{plot.unit}", class_="y", style=f"top:{place:.1%}")


def _mark_label(step: int, first: float, last: float) -> Html:
    left = (step - first) / max(last - first, 1e-9)
    side = "mark-label left" if left > 0.8 else "mark-label"
    return tag("span", f"resumed at {step:,}", class_=side, style=f"left:{left:.1%}")


def _key(line: Line) -> Html:
    sample = tag("line", x1="0", y1="5", x2="28", y2="5", class_=line.style)
    return tag("span", joined(tag("svg", sample, viewBox="0 0 28 10", aria_hidden="true"), line.name))
