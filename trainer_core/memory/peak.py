"""What a phase of a run needs at most: bytes by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Phase = Literal["cache", "passes", "update", "sample", "save"]
PHASES: tuple[Phase, ...] = ("cache", "passes", "update", "sample", "save")
"""Encoding the pictures, forward and backward passes of a step, the optimizer's part of it, a preview, a save."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The tensors on the device when they were most.

    Attributes:
        kinds: bytes of each kind.
        apart: the most that there was besides gradients; those of a second pass are all there from its start.
    """

    kinds: Mapping[str, int]
    apart: int = 0

    @property
    def total(self) -> int:
        """All kinds together."""
        return sum(self.kinds.values())


Peaks = dict[Phase, Peak]
