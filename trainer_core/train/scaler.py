"""The loss scale of fp16 training, kept on the device so that it costs no host sync."""

import torch
from torch import Tensor


class LossScaler:
    """Dynamic loss scaling (Micikevicius et al. 2018, Mixed Precision Training).

    The scale halves when a gradient overflowed and doubles after `growth_interval` steps without one. With
    `enabled=False` it stays 1.

    Attributes:
        scale: the current factor, a float32 scalar on the device.
        clean_steps: steps since the last overflow, a float32 scalar on the device.
    """

    def __init__(
        self, device: torch.device, *, enabled: bool, initial: float = 65536.0, growth_interval: int = 2000
    ) -> None:
        self.enabled = enabled
        self.growth_interval = growth_interval
        self.scale = torch.full((), initial if enabled else 1.0, dtype=torch.float32, device=device)
        self.clean_steps = torch.zeros((), dtype=torch.float32, device=device)

    def update(self, overflowed: Tensor) -> None:
        """Take note of whether this step overflowed (a boolean scalar on the device)."""
        if not self.enabled:
            return
        clean = (self.clean_steps + 1).masked_fill(overflowed, 0.0)
        grow = clean >= self.growth_interval
        factor = torch.where(overflowed, 0.5, torch.where(grow, 2.0, 1.0))
        self.scale.mul_(factor).clamp_(min=2.0**-14, max=2.0**24)
        self.clean_steps.copy_(clean.masked_fill(grow, 0.0))

    def state(self) -> dict[str, Tensor]:
        """Return what a resume needs."""
        return {"scale": self.scale, "clean_steps": self.clean_steps}

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.scale.copy_(state["scale"])
        self.clean_steps.copy_(state["clean_steps"])
