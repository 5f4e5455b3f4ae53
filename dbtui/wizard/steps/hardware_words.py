"""What the hardware step says: the machine, the reason for a preset, in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

from dbtui.doctor.graphics import Gpu, Gpus
from dbtui.doctor.system import LITTLE_DISK
from dbtui.presets.offer import Fit, Offer, best, fit, is_close, spare_gb
from trainer_core.disk import gigabytes
from trainer_core.text import safe_text

FITS: dict[Fit, str] = {"yes": "✓ yes", "not now": "! not now", "no": "✗ no", "unknown": "? unknown"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found here: the cards, and the bytes free where the runs lie (None if that cannot be told)."""

    gpus: Gpus
    free_disk: int | None


def machine_lines(machine: Machine) -> list[str]:
    """Return what to show of the machine, a line for each thing."""
    gpus = machine.gpus
    lines = [_card(gpus.used) if gpus.used else _no_card(gpus)]
    if gpus.used and len(gpus.all) > 1:
        others = ", ".join(_name(gpu) for gpu in gpus.all if gpu is not gpus.used)
        lines.append(f"also here: {others}; CUDA_VISIBLE_DEVICES says which one trains")
    if machine.free_disk is not None:
        little = "; that is little" if machine.free_disk < LITTLE_DISK else ""
        lines.append(f"{gigabytes(machine.free_disk)} of disk free{little}")
    return lines


def needed_words(offer: Offer) -> str:
    """Return the predicted peak for a column."""
    return "?" if offer.needed_gb is None else f"{offer.needed_gb:.1f} GB"


def fit_words(offer: Offer, gpu: Gpu) -> str:
    """Return for a column whether a preset fits, and by how much."""
    how, spare = fit(offer, gpu), spare_gb(offer, gpu)
    if spare is None or how == "not now":
        return FITS[how]
    size = f"{abs(spare):.1f}" if abs(spare) < 9.95 else f"{abs(spare):.0f}"
    return f"{FITS[how][0]} {size} GB {'spare' if spare >= 0 else 'short'}"


def reason(chosen: Offer, offered: Sequence[Offer], gpus: Gpus) -> str:
    """Say in a sentence why a preset is chosen, or what its choice means here."""
    gpu, is_best = gpus.used, chosen is best(offered, gpus.used)
    if gpu is None:
        return _for_another_machine(chosen, is_best=is_best)
    why = _why(chosen, offered, gpu, is_best=is_best)
    return f"{chosen.name} {why}{_predicted(chosen)}"


def _why(chosen: Offer, offered: Sequence[Offer], gpu: Gpu, *, is_best: bool) -> str:
    how, spare = fit(chosen, gpu), spare_gb(chosen, gpu)
    if how == "unknown":
        return "does not say for which card it is made, and its memory cannot be predicted at once: try it."
    if how == "not now":
        return f"fits the card, but other programs hold {_held(gpu)} of it: end them first."
    if how == "no":
        short = (
            "is made for a larger card than this one" if spare is None else f"does not fit: {-spare:.1f} GB short"
        )
        if is_best:
            return f"{short}, and the others need more; a smaller resolution may make it fit."
        return f"{short}; its memory may run out."
    room = "" if spare is None else f" with {spare:.1f} GB to spare"
    closely = ", which is so little that it may run out" if is_close(chosen, gpu) else ""
    if not is_best:
        return f"fits{room}{closely}, by your choice."
    if any(fit(other, gpu) == "not now" for other in offered):
        return f"fits{room}{closely}; other programs hold {_held(gpu)} of the card, else more would fit."
    return f"fits{room}{closely}, and gives up least of those that fit."


def _predicted(offer: Offer) -> str:
    return "" if offer.needed_gb is None else f" Its {offer.needed_gb:.1f} GB are predicted, not measured."


def unknown_family(families: Sequence[str], *, has_model: bool) -> str:
    """Say why presets of several families are offered."""
    why = "The model tells its family only when it is loaded" if has_model else "No model is chosen yet (step 2)"
    return f"{why}; choose yourself: {' or '.join(families)}."


def precision_words(config_precision: str, settled: str, gpu: Gpu | None) -> str:
    """Say what becomes of a preset in bf16 on a card that has none; "" where nothing needs to be said."""
    if gpu is None or gpu.has_bf16 is not False:
        return ""
    if settled == "bf16":
        return f"{_name(gpu)} has no bf16, and memory.mixed_precision is set to it: the run would refuse to start."
    if config_precision == "bf16" and settled == "fp16":
        return f"{_name(gpu)} has no bf16: the preset is used with fp16 (memory.mixed_precision)."
    return ""


def _for_another_machine(chosen: Offer, *, is_best: bool) -> str:
    why = "the smallest that keeps full precision" if is_best else "by your choice"
    here = " Its fp16 needs a GPU: it would not start here." if _is_fp16(chosen) else ""
    return (
        f"{_called(chosen)}, {why}. Choose for the machine that will train; the last step writes its file.{here}"
    )


def _is_fp16(offer: Offer) -> bool:
    return offer.config.memory.mixed_precision == "fp16"


def _held(gpu: Gpu) -> str:
    return f"{(gpu.total_gb or 0) - (gpu.free_gb or 0):.1f} GB"


def _called(offer: Offer) -> str:
    return offer.name if offer.is_own or offer.card_gb is None else offer.card


def _card(gpu: Gpu) -> str:
    words = [_name(gpu)]
    if gpu.total_gb is not None:
        free = f", {gpu.free_gb:.1f} free" if gpu.free_gb is not None else ""
        words.append(f"{gpu.total_gb:.1f} GB{free}")
    if gpu.driver:
        words.append(f"driver {safe_text(gpu.driver, 20)}")
    if gpu.has_bf16 is not None:
        words.append("bf16 yes" if gpu.has_bf16 else "bf16 no")
    return " · ".join(words)


def _no_card(gpus: Gpus) -> str:
    if gpus.failure:
        return f"no answer about a GPU: {safe_text(gpus.failure, 200)} (doctor, at home, says more)"
    if gpus.all:
        return "the GPU is hidden by CUDA_VISIBLE_DEVICES"
    return "no NVIDIA GPU: training here would run on the CPU, very slowly"


def _name(gpu: Gpu) -> str:
    return safe_text(gpu.name, 40).removeprefix("NVIDIA ").removeprefix("GeForce ")
