"""What of [loss] makes sense only for a model that predicts v; no torch."""

from trainer_core.config.schema import Loss

_WHY = {
    "zero_terminal_snr": "at pure noise, the noise itself teaches nothing",
    "scale_v_like_noise": "it undoes the weighting that v-prediction brings",
}


def problems_without_v(loss: Loss, prediction: str | None) -> list[str]:
    """Return the problems of `loss` with a model of this prediction type; none while it is not known (None)."""
    if prediction in {None, "v"}:
        return []
    return [
        f"loss.{name} needs a model that predicts v, and this one predicts {prediction} ({why}): set it to false"
        for name, why in _WHY.items()
        if getattr(loss, name)
    ]
