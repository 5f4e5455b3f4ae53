"""The colours of the drawn world, by the words that captions call them."""

Color = tuple[int, int, int]

COATS: dict[str, Color] = {
    "red": (214, 44, 44),
    "orange": (242, 138, 30),
    "yellow": (246, 208, 36),
    "green": (46, 160, 72),
    "blue": (46, 98, 212),
    "purple": (142, 62, 190),
}
"""What animals wear: strong colours."""

BACKGROUNDS: dict[str, Color] = {
    "white": (246, 246, 244),
    "pink": (250, 192, 212),
    "yellow": (252, 238, 164),
    "green": (176, 226, 168),
    "blue": (152, 202, 246),
    "gray": (166, 170, 178),
}
"""What they stand before: pale colours, so that a blue frog shows on a blue background."""

WHITE: Color = (252, 252, 248)
BLACK: Color = (24, 24, 28)
BEAK: Color = (240, 170, 50)
HAT: Color = (206, 30, 52)


def shade(color: Color, light: float) -> Color:
    """Return `color` darkened towards black (`light` below 1) or lightened towards white (above 1, up to 2)."""
    red, green, blue = color
    if light <= 1:
        return int(red * light), int(green * light), int(blue * light)
    share = light - 1
    red, green, blue = (int(part + (255 - part) * share) for part in color)
    return red, green, blue
