"""Zero terminal SNR: the noise schedule of a model whose last timestep is pure noise (Lin et al. 2023)."""

from typing import Any

from trainer_core.config.schema import Loss
from trainer_core.errors import ExitCode, UserError
from trainer_core.v_only import problems_without_v

_CAN_RESCALE = {
    "DDIMScheduler",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "LCMScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
}
"""Diffusers' samplers that know `rescale_betas_zero_snr`; others would draw with the old schedule."""


def scheduler_config_for(loss: Loss, prediction: str, scheduler_config: dict[str, Any]) -> dict[str, Any]:
    """Return the scheduler configuration that a model is trained, drawn and saved with.

    With `loss.zero_terminal_snr` it tells Diffusers to rescale the schedule and to begin at the last timestep.
    Raises UserError(CONFIG) if the model does not predict v and `loss` needs that.
    """
    if problems := problems_without_v(loss, prediction):
        raise UserError(problems, ExitCode.CONFIG)
    return rescaled(scheduler_config) if loss.zero_terminal_snr else scheduler_config


def rescaled(scheduler_config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with the rescaled schedule."""
    sampler = scheduler_config.get("_class_name")
    return {
        **scheduler_config,
        "_class_name": sampler if sampler in _CAN_RESCALE else "DDIMScheduler",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
