"""How long the text encoder is trained. No torch."""

from collections.abc import Iterator

from trainer_core.config.schema import TextEncoder
from trainer_core.data.listing import counted


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


def stop_without_effect(settings: TextEncoder, steps_per_epoch: int, total: int) -> Iterator[str]:
    """Yield the remark on an end that lies behind the training's own."""
    for name in ("stop_at_step", "stop_at_epoch", "stop_at_fraction"):
        value = getattr(settings, name)
        if value is not None and text_encoder_steps(settings, steps_per_epoch, total) == total:
            yield f"text_encoder.{name} = {value:g} has no effect: the training has {counted(total, 'step')}"
