"""Numbers over the steps, drawn to fill the room that there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.widget import Widget

from dbtui.dashboard.plot import Point, loss_plot
from dbtui.dashboard.view import PLOT_STYLES

_LEAST = 5
"""Rows of one plot with its headline."""


@dataclass(frozen=True)
class Plot:
    """One plot: its headline, its points, once as they are and once smoothed, and single ones over them."""

    headline: str
    raw: Sequence[Point]
    smooth: Sequence[Point]
    marks: Sequence[Point] = ()


class Curves(Widget):
    """Draws plots one below the other; the last ones are left out where there is no room."""

    DEFAULT_CSS = "Curves { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._plots: Sequence[Plot] = ()

    def show(self, plots: Sequence[Plot]) -> None:
        """Draw these."""
        self._plots = plots
        self.refresh()

    def render(self) -> Text:
        """Draw as many of them as fit."""
        width, height = self.size
        plots = self._plots[: max(1, height // _LEAST)]
        lines: list[Text] = []
        for place, plot in enumerate(plots):
            rows = height // len(plots) - (1 if place < len(plots) - 1 else 0)
            lines += _lines(plot, width, rows)
            lines += [Text()] * (place < len(plots) - 1)
        return Text("\n", no_wrap=True).join(lines)


def _lines(plot: Plot, width: int, height: int) -> list[Text]:
    drawn = loss_plot(plot.raw, plot.smooth, width, height - 1, plot.marks)
    rows = [Text.assemble(*((span.text, PLOT_STYLES[span.role]) for span in row)) for row in drawn]
    headline = Text(plot.headline, "bold")
    headline.truncate(width, overflow="ellipsis")
    return [headline, *(rows or [Text("too few steps to draw", "dim")])]
