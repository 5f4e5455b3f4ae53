"""[loss] and [ema]: what is minimised, the noise it is measured with, and the averaging of the weights."""

from typing import Literal

from trainer_core.config.declare import Table, UsedWhen, setting

ROBUST = UsedWhen("loss.type", ("huber", "smooth_l1"))
WITH_OFFSET = UsedWhen("loss.noise_offset", unless=(0, 0.0))


class Loss(Table):
    """How far a prediction is from its target, and how samples are weighted."""

    type: Literal["l2", "l1", "huber", "smooth_l1"] = setting(
        "l2",
        "Squared error, absolute error, or a robust loss between the two (pseudo-Huber, smooth L1).",
        group="Loss",
        affects="loss",
    )
    huber_c: float = setting(
        0.1, "Where the robust loss turns linear.", group="Loss", affects="loss", used_when=ROBUST, gt=0, le=100
    )
    huber_schedule: Literal["constant", "exponential", "snr"] = setting(
        "snr",
        "How huber_c shrinks with the noise: not at all, exponentially in the timestep, or with the SNR.",
        group="Loss",
        affects="loss",
        used_when=ROBUST,
    )
    min_snr_gamma: float | None = setting(
        None,
        "Weight samples by min(SNR, gamma), 5 being usual (Hang et al. 2023).",
        group="Loss",
        affects="loss",
        gt=0,
        le=100,
    )
    debiased_estimation: bool = setting(
        False, "Weight samples by 1/sqrt(SNR) (epsilon) or 1/(SNR + 1) (v).", group="Loss", affects="loss"
    )
    scale_v_like_noise: bool = setting(
        False,
        "Weight samples of a v-prediction model as noise prediction would: SNR/(SNR + 1).",
        group="Loss",
        affects="loss",
    )
    noise_offset: float = setting(
        0.0,
        "Add noise of this strength that is equal over a whole channel: darker and lighter pictures are learned.",
        group="Loss",
        affects="loss",
        ge=0,
        le=1,
    )
    noise_offset_random_strength: bool = setting(
        False,
        "Vary the strength of the offset between 0 and noise_offset.",
        group="Loss",
        affects="loss",
        used_when=WITH_OFFSET,
    )
    adaptive_noise_scale: float = setting(
        0.0,
        "Add this times the mean of the latents to the offset's strength.",
        group="Loss",
        affects="loss",
        used_when=WITH_OFFSET,
        ge=-1,
        le=1,
    )
    multires_noise_iterations: int = setting(
        0,
        "Pyramid noise: add noise of this many coarser sizes; 0 is off, 6 to 10 usual.",
        group="Loss",
        affects="loss",
        ge=0,
        le=32,
    )
    multires_noise_discount: float = setting(
        0.3,
        "Each coarser size counts this times the one before.",
        group="Loss",
        affects="loss",
        used_when=UsedWhen("loss.multires_noise_iterations", unless=(0,)),
        gt=0,
        le=1,
    )
    ip_noise_gamma: float = setting(
        0.0,
        "Perturb the noise that the U-Net sees, not what it predicts (Ning et al. 2023); 0.1 is usual.",
        group="Loss",
        affects="loss",
        ge=0,
        le=1,
    )
    ip_noise_gamma_random_strength: bool = setting(
        False,
        "Vary ip_noise_gamma between 0 and its value.",
        group="Loss",
        affects="loss",
        used_when=UsedWhen("loss.ip_noise_gamma", unless=(0, 0.0)),
    )
    zero_terminal_snr: bool = setting(
        False,
        "Rescale the noise schedule so that its last step is pure noise (Lin et al. 2023); v-prediction only.",
        group="Loss",
        affects="loss",
    )
    min_timestep: int = setting(
        0, "Lowest timestep trained.", group="Loss", affects="loss", unit="timesteps", ge=0, le=999
    )
    max_timestep: int = setting(
        1000,
        "Timesteps trained are below this.",
        group="Loss",
        affects="loss",
        unit="timesteps",
        ge=1,
        le=1000,
    )


class Ema(Table):
    """A moving average of the trained weights; models saved and previews drawn hold it."""

    enable: bool = setting(False, "Keep an average of the weights, in float32.", group="Learning", affects="file")
    decay: float = setting(
        0.9999,
        "Share of the average kept at each step; less in the first steps: (1 + step)/(10 + step).",
        group="Learning",
        affects="file",
        used_when=UsedWhen("ema.enable", (True,)),
        gt=0,
        lt=1,
    )
