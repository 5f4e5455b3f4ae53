"""Which optimizer a training uses."""

from collections.abc import Callable

import torch

from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.bus import Bus
from trainer_core.train.update import Groups, ParameterState, WeightUpdate
from trainer_core.train.update_adafactor import Adafactor
from trainer_core.train.update_bitsandbytes import CLASSES, BitsandbytesUpdate
from trainer_core.train.update_library import Prodigy, ScheduleFreeAdamW
from trainer_core.train.update_torch import FusedAdamW, RoundedAdamW

__all__ = ["ParameterState", "WeightUpdate", "make_optimizer"]

_OTHERS: dict[str, Callable[..., WeightUpdate]] = {
    "adafactor": Adafactor,
    "prodigy": Prodigy,
    "adamw_schedulefree": ScheduleFreeAdamW,
}


def make_optimizer(
    groups: Groups, settings: OptimizerSettings, *, exact_skip: bool, bus: Bus | None = None
) -> WeightUpdate:
    """Build the optimizer for weights in groups of equal learning rate, which share one dtype and device.

    Args:
        groups: the weights to train: float32, or float16 / bfloat16 for full_fp16 / full_bf16.
        settings: the [optimizer] table.
        exact_skip: whether a skipped step must leave weights and state untouched (a loss scaler is in use)
            rather than only unharmed.
        bus: the way to main memory, where AdamW's state shall lie; None to keep it on the device.

    Raises:
        UserError: a library is missing, or the device cannot page (code CONFIG).
    """
    first = groups[0][0]
    if settings.type.startswith("paged_") and first.device.type != "cuda":
        other = settings.type.removeprefix("paged_")
        raise UserError(
            f'optimizer.type = "{settings.type}" needs a CUDA GPU, from whose memory it pages; use "{other}".',
            ExitCode.CONFIG,
        )
    if settings.type in CLASSES:
        return BitsandbytesUpdate(groups, settings, exact_skip=exact_skip)
    if settings.type in _OTHERS:
        return _OTHERS[settings.type](groups, settings, exact_skip=exact_skip)
    if first.dtype == torch.float32:
        return FusedAdamW(groups, settings, bus)
    return RoundedAdamW(groups, settings, bus, exact_skip=exact_skip)
