"""What a prediction says, and what is added to it for what no rehearsal can see. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trainer_core.memory.peak import Phase


class Allowance(NamedTuple):
    """What a GPU holds besides tensors.

    Attributes:
        context: bytes for CUDA's context, kernels, and the workspaces of cuBLAS and cuDNN.
        slack: share of the tensors that the allocator holds besides, in blocks that are too small or split.
    """

    context: int
    slack: float


ALLOWANCE = Allowance(context=2**29, slack=0.06)
"""Not measured: no GPU was at hand. `benchmarks/gpu.py` prints predicted against measured where one is."""
NAMES: Mapping[Phase, str] = {
    "cache": "encoding pictures",
    "passes": "forward and backward",
    "update": "optimizer",
    "sample": "preview",
    "save": "save",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """The peak of each phase.

    Attributes:
        phases: bytes of the tensors on the device when they are most.
        is_exact: whether the very configuration was rehearsed; else it is read off the table.
        notes: what it does not follow, a sentence each.
        gpus: how many share each batch; the bytes are those of one.
    """

    phases: Mapping[Phase, int]
    is_exact: bool
    notes: tuple[str, ...] = ()
    gpus: int = 1

    @property
    def worst(self) -> Phase:
        """The phase that needs most."""
        return max(self.phases, key=lambda phase: self.phases[phase])

    @property
    def needed(self) -> int:
        """Bytes that must be free on the card: the worst phase and the allowance."""
        return with_allowance(self.phases[self.worst])


def with_allowance(tensors: int) -> int:
    """Return what a card needs for so many bytes of tensors."""
    return round(tensors * (1 + ALLOWANCE.slack)) + ALLOWANCE.context
