"""The animals: each is drawn around (0, 0), about one unit to every side, in one of two poses."""

from collections.abc import Callable

from dbtui.demo.world.canvas import Canvas, Point
from dbtui.demo.world.palette import BEAK, BLACK, HAT, WHITE, Color, shade

Drawing = Callable[[Canvas, Color, bool], None]


def draw_frog(canvas: Canvas, coat: Color, raised: bool) -> None:
    """A frog from the front; raised: it leaps."""
    dark = shade(coat, 0.7)
    for side in (-1, 1):
        if raised:
            canvas.line([(side * 0.7, 0.4), (side * 1.0, 0.75), (side * 0.7, 1.15)], 0.24, dark)
        else:
            canvas.ellipse((side * 0.85, 0.6), (0.45, 0.25), dark)
    canvas.ellipse((0, 0.1), (1.0, 0.72), coat)
    canvas.ellipse((0, 0.4), (0.6, 0.36), shade(coat, 1.5))
    for side in (-1, 1):
        canvas.ellipse((side * 0.5, -0.55), (0.3, 0.3), coat)
        _eye(canvas, (side * 0.5, -0.58), 0.2)
    canvas.curve((0, -0.05), (0.5, 0.25), (20, 160), 0.07, shade(coat, 0.4))


def draw_hat(canvas: Canvas) -> None:
    """The hat of one particular frog, to be put on a frog that was drawn: pointed, red, with a white ball."""
    canvas.polygon([(-0.5, -0.86), (0.5, -0.86), (0, -1.85)], HAT)
    canvas.ellipse((0, -0.86), (0.7, 0.15), WHITE)
    canvas.ellipse((0, -1.85), (0.2, 0.2), WHITE)


def draw_cat(canvas: Canvas, coat: Color, raised: bool) -> None:
    """A sitting cat from the front; raised: its tail is up."""
    dark = shade(coat, 0.7)
    up, down = [(0.4, 0.9), (0.95, 0.75), (1.05, 0.1), (0.9, -0.35)], [(0.3, 0.95), (0.8, 1.0), (1.1, 0.8)]
    canvas.line(up if raised else down, 0.2, dark)
    canvas.ellipse((0, 0.55), (0.58, 0.55), coat)
    canvas.ellipse((0, 0.65), (0.3, 0.4), shade(coat, 1.5))
    for side in (-1, 1):
        canvas.polygon([(side * 0.58, -1.1), (side * 0.06, -0.72), (side * 0.56, -0.3)], coat)
        canvas.polygon([(side * 0.5, -0.92), (side * 0.22, -0.68), (side * 0.5, -0.5)], dark)
    canvas.ellipse((0, -0.32), (0.6, 0.5), coat)
    for side in (-1, 1):
        _eye(canvas, (side * 0.25, -0.4), 0.15)
        canvas.line([(side * 0.2, -0.12), (side * 0.75, -0.06)], 0.04, shade(coat, 0.4))
    canvas.polygon([(-0.1, -0.2), (0.1, -0.2), (0, -0.08)], BLACK)


def draw_bird(canvas: Canvas, coat: Color, raised: bool) -> None:
    """A bird from its right side; raised: its wing is up."""
    dark = shade(coat, 0.7)
    for x in (-0.1, 0.2):
        canvas.line([(x, 0.5), (x, 1.0), (x + 0.2, 1.0)], 0.09, BEAK)
    canvas.polygon([(-0.5, 0.0), (-1.25, -0.3), (-1.2, 0.25)], dark)
    canvas.ellipse((-0.05, 0.15), (0.75, 0.5), coat, turn=-12)
    canvas.ellipse((0.1, 0.32), (0.45, 0.28), shade(coat, 1.5), turn=-12)
    canvas.polygon([(0.9, -0.55), (1.35, -0.38), (0.9, -0.25)], BEAK)
    canvas.ellipse((0.6, -0.4), (0.42, 0.4), coat)
    if raised:
        canvas.polygon([(-0.35, 0.1), (0.25, 0.0), (-0.35, -1.05)], dark)
    else:
        canvas.ellipse((-0.2, 0.15), (0.45, 0.25), dark, turn=10)
    _eye(canvas, (0.68, -0.45), 0.14)


def draw_fish(canvas: Canvas, coat: Color, raised: bool) -> None:
    """A fish from its right side; raised: its tail is up."""
    dark = shade(coat, 0.7)
    lift = -0.3 if raised else 0.15
    canvas.polygon([(-0.55, 0.0), (-1.25, lift - 0.5), (-1.05, lift), (-1.25, lift + 0.5)], dark)
    canvas.polygon([(-0.35, -0.4), (0.05, -0.85), (0.45, -0.4)], dark)
    canvas.ellipse((0.15, 0), (0.95, 0.56), coat)
    canvas.ellipse((0.25, 0.22), (0.7, 0.28), shade(coat, 1.5))
    canvas.line([(-0.2, -0.4), (-0.3, 0.0), (-0.2, 0.4)], 0.12, dark)
    canvas.polygon([(0.0, 0.05), (-0.15, 0.45), (0.35, 0.25)], dark)
    _eye(canvas, (0.65, -0.14), 0.17)


def draw_turtle(canvas: Canvas, coat: Color, raised: bool) -> None:
    """A turtle from its right side, whose shell has the colour; raised: its head is up."""
    skin: Color = (196, 178, 120)
    for x in (-0.55, 0.45):
        canvas.line([(x, 0.4), (x, 0.75)], 0.3, shade(skin, 0.85))
    canvas.polygon([(-0.8, 0.3), (-1.25, 0.5), (-0.8, 0.5)], skin)
    head: Point = (1.05, -0.3) if raised else (1.15, 0.2)
    canvas.line([(0.6, 0.3), head], 0.26, skin)
    canvas.ellipse(head, (0.28, 0.24), skin)
    _eye(canvas, (head[0] + 0.07, head[1] - 0.06), 0.11)
    canvas.dome((-0.05, 0.45), (0.95, 1.05), coat)
    canvas.line([(-0.98, 0.45), (0.88, 0.45)], 0.16, shade(coat, 0.7))
    for x, y in ((-0.45, 0.1), (0.05, -0.2), (0.42, 0.12)):
        canvas.ellipse((x, y), (0.16, 0.16), shade(coat, 0.7))


def _eye(canvas: Canvas, middle: Point, radius: float) -> None:
    canvas.ellipse(middle, (radius, radius), WHITE)
    canvas.ellipse(middle, (radius * 0.55, radius * 0.6), BLACK)


ANIMALS: dict[str, Drawing] = {
    "frog": draw_frog,
    "cat": draw_cat,
    "bird": draw_bird,
    "fish": draw_fish,
    "turtle": draw_turtle,
}
