"""The prediction of a planned run, and the card that it would run on."""

from collections.abc import Callable
from dataclasses import replace

from dbtui.doctor.graphics import Gpu, find_gpus
from dbtui.memory.rehearsed import rehearsed
from trainer_core.config.schema import Config
from trainer_core.data.dataset import Size
from trainer_core.errors import ExitCode, UserError
from trainer_core.memory.predict import predict
from trainer_core.memory.prediction import Prediction
from trainer_core.memory.several import notes, of_one_gpu
from trainer_core.models.sniff import FamilyName
from trainer_core.plan import Plan
from trainer_core.ranks.several import several_of
from trainer_core.run.machine import read_gpu


def prediction_of(plan: Plan, config: Config, gpus: int = 1) -> Prediction | None:
    """Return what the table says of one of `gpus`; None where it does not know the family or the settings."""
    family = family_of(plan, config)
    return predict(config, family, largest_bucket(plan, config), gpus=gpus) if family else None


def rehearsal_of(plan: Plan, config: Config, tell: Callable[[str], None], gpus: int = 1) -> Prediction:
    """Compute the prediction anew; UserError(MODEL) without a known family, (CONFIG) with memory.fsdp."""
    if config.memory.fsdp:
        text = (
            "a rehearsal has one GPU, and memory.fsdp needs several: leave --exact out, for what is computed of it"
        )
        raise UserError(text, ExitCode.CONFIG)
    family = family_of(plan, config)
    if family is None:
        text = 'the model tells its family only when it is loaded: set model.family to "sd1" or "sd2" for --exact'
        raise UserError(text, ExitCode.MODEL)
    tell("rehearsing a step without memory; this takes half a minute ...")
    found = rehearsed(of_one_gpu(config, gpus), family, largest_bucket(plan, config))
    return replace(found, gpus=gpus, notes=(*found.notes, *notes(config, gpus)))


def family_of(plan: Plan, config: Config) -> FamilyName | None:
    """Return the family of the start model, as far as it is known before it is loaded."""
    if plan.model and plan.model.family:
        return plan.model.family
    return None if config.model.family == "auto" else config.model.family


def largest_bucket(plan: Plan, config: Config) -> Size:
    """Return the size of the largest pictures that are trained."""
    return max(plan.buckets, key=lambda size: size[0] * size[1], default=config.dataset.resolution)


def gpus_for(option: str | None) -> int:
    """Return how many GPUs `--gpus` means; UserError(CONFIG) without sense, or for all where there is none."""
    several = several_of(option, 1, 0, None)
    if several is None or several.gpus:
        return several.gpus if several and several.gpus else 1
    if not (found := len(find_gpus().all)):
        raise UserError("--gpus all: no GPU is found here; say how many there will be, such as 2", ExitCode.CONFIG)
    return found


def card_here() -> Gpu | None:
    """Return the card that a run trains on, None if there is none or its driver says nothing within 2 s."""
    reading = read_gpu()
    if reading is None:
        return None
    total, used = reading.vram_total_gb, reading.vram_used_gb
    free = None if total is None or used is None else total - used
    return Gpu(reading.name or "unknown card", reading.driver, total, free, reading.capability)
