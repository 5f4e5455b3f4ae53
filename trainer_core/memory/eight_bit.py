"""bitsandbytes' optimizers without bitsandbytes: the state that they keep, and nothing of what they compute.

Their 8-bit step reads values, which tensors without memory do not have. A test compares the state with theirs.
"""

from typing import Any

import torch
from torch import Tensor

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.train.update import Groups, make_tables

BLOCK = 256
"""Numbers that share a scale (Dettmers et al. 2022, 8-bit Optimizers; bitsandbytes since 0.45)."""
LEAST = 4096
"""Numbers from which on a tensor's state has 8 bits; a smaller one's is float32."""
LEAST_PAGED = 100_000
"""Numbers from which on a tensor's state is paged: it lies in main memory then, and comes as it is used."""


class StateOnly:
    """Stands in for an optimizer of bitsandbytes: it has the same state, and its kernel is left out."""

    def __init__(self, groups: Groups, settings: OptimizerSettings) -> None:
        self.param_groups = make_tables(groups)
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._kind = settings.type

    def init_state(self, group: Any, parameter: Tensor, number: int, index: int) -> None:
        """Make the state of a weight."""
        self.state[parameter] = block_state(self._kind, parameter)

    def prefetch_state(self, parameter: Tensor) -> None:
        """Nothing is paged in: see `block_state`."""

    def update_step(self, *place: Any) -> None:
        """The kernel needs no memory besides."""


def block_state(kind: str, parameter: Tensor) -> dict[str, Any]:
    """Return what bitsandbytes keeps on the device for `parameter` under the `optimizer.type` `kind`.

    A paged state lies in managed memory, which the driver moves out as needed, so it is not among it.
    """
    numbers = parameter.numel()
    is_paged = kind.startswith("paged_") and numbers >= LEAST_PAGED
    state: dict[str, Any] = {"step": 0}
    for moment in ("1",) if kind.startswith("lion") else ("1", "2"):
        if not kind.endswith("8bit") or numbers < LEAST:
            if not is_paged:
                state[f"state{moment}"] = torch.zeros_like(parameter, dtype=torch.float32)
            continue
        if not is_paged:
            state[f"state{moment}"] = torch.zeros_like(parameter, dtype=torch.uint8)
        blocks = -(-numbers // BLOCK)
        state[f"absmax{moment}"] = torch.zeros(blocks, dtype=torch.float32, device=parameter.device)
    return state
