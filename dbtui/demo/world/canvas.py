"""Filled shapes with smooth edges: drawn larger than they will be, then made smaller."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from dbtui.demo.world.palette import Color

OVERSAMPLING = 4
_CORNERS = 36  # of the polygon that stands for an ellipse

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an animal stands.

    Attributes:
        x: its middle, as a share of the picture's side.
        y: its middle from the top, as a share of the picture's side.
        size: one unit of its own measures, as a share of the picture's side.
        tilt: clockwise turn in degrees.
        mirrored: whether left and right are exchanged.
    """

    x: float
    y: float
    size: float
    tilt: float = 0.0
    mirrored: bool = False


class Canvas:
    """A square picture that one animal is drawn on, in the animal's own measures: (0, 0) its middle, y down."""

    def __init__(self, side: int, background: Color, place: Place) -> None:
        self.side = side
        self._place = place
        self._image = Image.new("RGB", (side * OVERSAMPLING,) * 2, background)
        self._draw = ImageDraw.Draw(self._image)
        self._turn = math.cos(math.radians(place.tilt)), math.sin(math.radians(place.tilt))

    def picture(self) -> Image.Image:
        """Return what was drawn, `side` x `side` pixels."""
        return self._image.resize((self.side, self.side), Image.Resampling.BOX)

    def polygon(self, points: Iterable[Point], color: Color) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._pixel(point) for point in points], fill=color)

    def ellipse(self, middle: Point, radii: Point, color: Color, turn: float = 0.0) -> None:
        """Fill an ellipse, turned clockwise by `turn` degrees."""
        self.polygon(_arc(middle, radii, turn, 0, 360), color)

    def dome(self, middle: Point, radii: Point, color: Color) -> None:
        """Fill the upper half of an ellipse."""
        self.polygon(_arc(middle, radii, 0, 180, 360), color)

    def line(self, points: Iterable[Point], width: float, color: Color) -> None:
        """Draw a line with round ends and corners."""
        places = list(points)
        pixels = max(1, round(width * self._place.size * self.side * OVERSAMPLING))
        self._draw.line([self._pixel(point) for point in places], fill=color, width=pixels)
        for point in places:
            self.ellipse(point, (width / 2, width / 2), color)

    def curve(self, middle: Point, radii: Point, degrees: Point, width: float, color: Color) -> None:
        """Draw a part of an ellipse's outline, from one angle to another: 0 is right, 90 down."""
        self.line(_arc(middle, radii, 0, *degrees), width, color)

    def _pixel(self, point: Point) -> Point:
        cos, sin = self._turn
        x = -point[0] if self._place.mirrored else point[0]
        turned = x * cos - point[1] * sin, x * sin + point[1] * cos
        scale = self.side * OVERSAMPLING
        place = self._place
        return scale * (place.x + place.size * turned[0]), scale * (place.y + place.size * turned[1])


def _arc(middle: Point, radii: Point, turn: float, first: float, last: float) -> list[Point]:
    """Points on an ellipse's outline between two angles in degrees, clockwise from the right."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = []
    for number in range(_CORNERS + 1):
        angle = math.radians(first + (last - first) * number / _CORNERS)
        x, y = radii[0] * math.cos(angle), radii[1] * math.sin(angle)
        points.append((middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos))
    return points
