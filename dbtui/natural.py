"""The order in which people count: sd15-8gb before sd15-12gb."""

import re


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key by which numbers inside names count as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
