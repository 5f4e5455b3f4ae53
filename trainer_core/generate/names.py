"""Names of pictures that never replace one: a number that goes on from what lies in the folder."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

Of = Literal["trained", "base"]
_NUMBERED = re.compile(r"(\d{5,})(-base)?\.png", re.IGNORECASE)


class FreeNames:
    """Names for some pictures, with the same number for each and its counterpart of the start model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = _highest(folder) + 1

    def path(self, number: int, of: Of) -> Path:
        """Return where the picture of that number, from 0, goes."""
        return self.folder / f"{self.first + number:05d}{'-base' if of == 'base' else ''}.png"


def _highest(folder: Path) -> int:
    numbers = [0]
    with suppress(OSError):
        numbers += [int(found[1]) for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name))]
    return max(numbers)
