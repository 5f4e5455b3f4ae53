"""A prediction as a person reads it."""

from dbtui.doctor.graphics import Gpu
from trainer_core.memory.prediction import ALLOWANCE, NAMES, Prediction

_GB = 2**30


def gigabytes(size: float) -> str:
    """Return bytes in the GB by which cards are sold, which are GiB."""
    return f"{size / _GB:.1f} GB"


def prediction_lines(prediction: Prediction, gpu: Gpu | None) -> list[str]:
    """Return what a plan shows: what must be free, against the card; then each phase."""
    how = "rehearsed" if prediction.is_exact else "about"
    each = " per GPU" if prediction.gpus > 1 else ""
    needed = f"{how} {gigabytes(prediction.needed)}{each} at most, in {NAMES[prediction.worst]}"
    phases = " · ".join(f"{NAMES[phase]} {gigabytes(size)}" for phase, size in prediction.phases.items())
    added = f"+ {ALLOWANCE.slack:.0%} and {gigabytes(ALLOWANCE.context)} for the allocator and CUDA, not measured"
    return [f"{needed}{_against(prediction, gpu)}", f"{phases}; {added}", *prediction.notes]


def fits(prediction: Prediction, gpu: Gpu | None) -> bool | None:
    """Tell whether it fits into what is free on the card, else into the whole card; None if neither is known."""
    if gpu is None or gpu.total_gb is None:
        return None
    return prediction.needed <= (gpu.total_gb if gpu.free_gb is None else gpu.free_gb) * _GB


def _against(prediction: Prediction, gpu: Gpu | None) -> str:
    if gpu is None or gpu.total_gb is None:
        return ""
    room = f"{gpu.total_gb:.1f} GB" if gpu.free_gb is None else f"{gpu.free_gb:.1f} GB free"
    return f": {'fits into' if fits(prediction, gpu) else 'more than'} the {room} here"
