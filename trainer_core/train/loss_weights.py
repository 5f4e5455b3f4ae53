"""Tables over the timesteps: how much a sample weighs, and where Huber's loss turns linear."""

import math

import torch
from torch import Tensor

from trainer_core.config.schema import Loss

DEBIASED_MAX_SNR = 1000.0
"""The first timestep, nearly without noise, would count for next to nothing."""
_SMALLEST_SNR = 1e-8
"""Stands for a signal-to-noise ratio of 0, by which no weight may be divided."""


def timestep_weights(loss: Loss, prediction: str, snr: Tensor) -> Tensor | None:
    """Return the weight of a sample at each timestep, shape [T]; None where nothing in `loss` weights them.

    Args:
        loss: the [loss] table.
        prediction: "epsilon" or "v".
        snr: signal-to-noise ratio of each timestep of the schedule that is trained with, shape [T].

    min-SNR: Hang et al. 2023; debiased estimation: Yu et al. 2023. The weights of several options multiply.
    """
    is_v = prediction == "v"
    weights = []
    if loss.min_snr_gamma is not None:
        capped = snr.clamp(max=loss.min_snr_gamma)
        weights.append(capped / (snr + 1) if is_v else _ratio(capped, snr))
    if loss.scale_v_like_noise:
        weights.append(snr / (snr + 1))
    if loss.debiased_estimation:
        bounded = snr.clamp(_SMALLEST_SNR, DEBIASED_MAX_SNR)
        weights.append(1 / (snr + 1) if is_v else bounded.rsqrt())
    if not weights:
        return None
    return torch.stack(weights).prod(dim=0)


def huber_thresholds(loss: Loss, snr: Tensor) -> Tensor | None:
    """Return Huber's threshold c at each timestep, shape [T]; None for the losses without one.

    From sd-scripts: c itself; c^(t/T), which falls from 1 to c; or c + (1 - c) / (1 + sigma)^2 with
    sigma = 1/sqrt(SNR), which does so with the noise.
    """
    if loss.type not in {"huber", "smooth_l1"}:
        return None
    c = loss.huber_c
    if loss.huber_schedule == "constant":
        return torch.full_like(snr, c)
    if loss.huber_schedule == "exponential":
        share = torch.arange(len(snr), device=snr.device) / len(snr)
        return torch.exp(math.log(c) * share)
    return c + (1 - c) / (1 + snr.rsqrt()).square()


def _ratio(capped: Tensor, snr: Tensor) -> Tensor:
    """Return min(SNR, gamma) / SNR, which tends to 1 where the SNR vanishes."""
    return torch.where(snr > 0, capped / snr.clamp(min=_SMALLEST_SNR), 1.0)
