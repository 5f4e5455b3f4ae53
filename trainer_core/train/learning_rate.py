"""The learning rate over time: the six schedules of the field, as pure functions of the step."""

import math

from trainer_core.config.schema import Scheduler

POLYNOMIAL_END = 1e-7
"""Learning rate, absolute, at which the polynomial schedule ends (the value used by transformers)."""


def learning_rate_at(step: int, total: int, peak: float, scheduler: Scheduler) -> float:
    """Return the learning rate of step `step` (from 0) of `total`.

    The shapes are those of transformers and diffusers `get_scheduler`: a linear rise over `warmup_steps`, then
    constant, a line to 0, half a cosine to 0, `cycles` cosines with hard restarts, or a polynomial to 1e-7.
    """
    warmup = scheduler.warmup_steps if scheduler.type != "constant" else 0
    if step < warmup:
        return peak * step / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    match scheduler.type:
        case "constant" | "constant_with_warmup":
            return peak
        case "linear":
            return peak * (1 - progress)
        case "cosine":
            return peak * 0.5 * (1 + math.cos(math.pi * progress))
        case "cosine_with_restarts":
            position = scheduler.cycles * progress % 1.0 if progress < 1 else 1.0
            return peak * 0.5 * (1 + math.cos(math.pi * position))
        case "polynomial":
            return (peak - POLYNOMIAL_END) * math.pow(1 - progress, scheduler.power) + POLYNOMIAL_END
