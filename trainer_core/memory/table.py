"""The table of predictions: what rehearsals of full-size models found, and lines through it. No torch."""

import json
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from trainer_core.memory.row import Row

FORMAT = 1
SIDES = (512, 1024)
"""Of the pictures that were encoded and drawn."""
RANKS = {"rank": 128, "conv_rank": 16}
"""The other ranks of a LoRA that were rehearsed; rows have rank 16, and none for the 3x3 convolutions."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What the passes of a row need besides optimizer state, in bytes; pictures count in those of 512 x 512.

    Attributes:
        weights: what lies on the device between two steps.
        numbers: numbers that are trained.
        gradients: bytes of all gradients together.
        largest: bytes of the largest trained tensor.
        totals: the peak with `pictures[i]` in a batch.
        aparts: the peak of all but the gradients.
    """

    weights: int
    numbers: int
    gradients: int
    largest: int
    pictures: Sequence[int]
    totals: Sequence[int]
    aparts: Sequence[int]

    def apart(self, units: float) -> float:
        """Return the most besides gradients: what is kept for the way back grows with every picture alike."""
        return line(self.pictures, self.aparts, units)

    def total(self, units: float) -> float:
        """Return the peak: at the turn, where all activations are kept, or at the end, where all gradients are."""
        return max(self.apart(units), self._at_the_end(units))

    def _at_the_end(self, units: float) -> float:
        resident = self.weights + self.gradients
        if self.totals[-1] > self.aparts[-1]:
            return max(resident, line(self.pictures, self.totals, units))
        more = self.totals[0] - resident if self.totals[0] > self.aparts[0] else 0
        return resident + more * units / self.pictures[0]


class Table:
    """What the file holds."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def passes(self, row: Row) -> Pass | None:
        """Return the passes of a row; None if it was not rehearsed."""
        found = self._data["pass"].get(row.key)
        return Pass(**found) if found else None

    def other_rank(self, name: str) -> Pass:
        """Return a LoRA's passes without checkpointing at the other rank (`rank`), or with one (`conv_rank`)."""
        return Pass(**self._data["rank"][name])

    def update(self, row: Row, optimizer: str) -> tuple[float, float] | None:
        """Return for each trained number the optimizer's state, and what its update needs besides, in bytes."""
        found = self._data["update"].get(row.trained, {}).get(optimizer)
        if found is None:
            return None
        numbers = self._data["pass"][f"sd1-{row.train}-mixed-checkpointed"]["numbers"]
        return found[0] / numbers, found[1] / numbers

    def cache(self, units: float) -> float:
        """Return what encoding so many pictures at once needs, the VAE's weights included."""
        return _by_side([self._data["cache"][str(side)] for side in SIDES], units)

    def sample(self, row: Row, units: float) -> float:
        """Return what a preview needs besides what lies on the device anyway."""
        return _by_side(self._data["sample"][f"{row.family} {row.base}"], units)


def _by_side(values: Sequence[int], units: float) -> float:
    return line([side**2 / SIDES[0] ** 2 for side in SIDES], values, units)


@cache
def shipped_table() -> Table:
    """Return the table in the package."""
    data = pkgutil.get_data("trainer_core", "assets/memory.json")
    if data is None:
        raise FileNotFoundError("trainer_core/assets/memory.json")
    return Table(json.loads(data))


def line(places: Sequence[float], values: Sequence[float], at: float) -> float:
    """Return the value at `at` on the line through the first and the last point."""
    slope = (values[-1] - values[0]) / (places[-1] - places[0])
    return values[0] + slope * (at - places[0])
