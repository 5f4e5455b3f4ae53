"""The learning rate over time: the six schedules of the field, as pure functions of the step."""

import math

from trainer_core.config.learning_rules import POLYNOMIAL_END
from trainer_core.config.schema import Optimizer, Scheduler, TextEncoder, Train


def peak_learning_rates(optimizer: Optimizer, text_encoder: TextEncoder, train: Train) -> tuple[float, float]:
    """Return the peaks of the U-Net and of the text encoder; with scale_lr, times the samples of a step."""
    own = text_encoder.learning_rate
    factor = train.batch_size * train.gradient_accumulation if optimizer.scale_lr else 1
    return factor * optimizer.learning_rate, factor * (optimizer.learning_rate if own is None else own)


def warmup_steps(total: int, scheduler: Scheduler) -> int:
    """Return the steps of the rise: as given, or as a share of all `total` steps."""
    if scheduler.type == "constant":
        return 0
    if scheduler.warmup_percent is not None:
        return round(total * scheduler.warmup_percent / 100)
    return scheduler.warmup_steps


def learning_rate_at(step: int, total: int, peak: float, scheduler: Scheduler) -> float:
    """Return the learning rate of step `step` (from 0) of `total`.

    The shapes are those of transformers and diffusers `get_scheduler`: a linear rise over the warm-up, then
    constant, a line to 0, half a cosine to 0, `cycles` cosines with hard restarts, or a polynomial to 1e-7.
    """
    warmup = warmup_steps(total, scheduler)
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
