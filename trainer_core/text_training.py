"""How long the text encoder is trained. No torch."""

from trainer_core.config.schema import TextEncoder


def text_encoder_steps(settings: TextEncoder, steps_per_epoch: int, total: int) -> int:
    """Return in how many of the `total` steps, from the first on, the text encoder is trained."""
    if not settings.train:
        return 0
    if settings.stop_at_step is not None:
        stop = settings.stop_at_step
    elif settings.stop_at_epoch is not None:
        stop = settings.stop_at_epoch * steps_per_epoch
    elif settings.stop_at_fraction is not None:
        stop = round(settings.stop_at_fraction * total)
    else:
        stop = total
    return min(stop, total)
