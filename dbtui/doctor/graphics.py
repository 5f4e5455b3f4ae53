"""The graphics cards of this machine, for who chooses settings: asked of the driver, without torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbtui.doctor.ask import ask

SECONDS = 15.0
"""A driver that has not answered by then hangs."""
_BF16_SINCE = (8, 0)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card; what the driver does not tell is None. Sizes in GB as cards are sold (GiB)."""

    name: str
    driver: str | None = None
    total_gb: float | None = None
    free_gb: float | None = None
    capability: tuple[int, int] | None = None

    @property
    def has_bf16(self) -> bool | None:
        """Whether it computes in bf16 (NVIDIA Ampere and later)."""
        return None if self.capability is None else self.capability >= _BF16_SINCE


@dataclass(frozen=True, slots=True)
class Gpus:
    """All cards.

    Attributes:
        all: in the driver's order.
        first: the place of the one that a run trains on; None if CUDA_VISIBLE_DEVICES hides them.
        failure: why nothing is known, "" if the driver answered or there is none.
    """

    all: tuple[Gpu, ...] = ()
    first: int | None = None
    failure: str = ""

    @property
    def used(self) -> Gpu | None:
        """The card that a run trains on."""
        return self.all[self.first] if self.first is not None and self.first < len(self.all) else None


def find_gpus(stopped: Callable[[], bool] = lambda: False) -> Gpus:
    """Ask the driver, in a process of its own, for at most `SECONDS`."""
    answer = ask("gpus", SECONDS, stopped)
    if answer.facts is None:
        return Gpus(failure=f"the driver {answer.failure}")
    return Gpus(tuple(_gpu(facts) for facts in answer.facts["gpus"]), answer.facts["first"])


def _gpu(facts: dict[str, Any]) -> Gpu:
    total, used, capability = facts["vram_gb"], facts["used_gb"], facts["capability"]
    return Gpu(
        name=facts["name"] or "unknown card",
        driver=facts["driver"],
        total_gb=total,
        free_gb=None if total is None or used is None else total - used,
        capability=tuple(capability) if capability else None,
    )
