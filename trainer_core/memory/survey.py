"""Measures what the table of predictions holds, one rehearsal after the other (tools/predict_memory.py)."""

from collections.abc import Sequence
from typing import Any

from trainer_core.config.schema import Config
from trainer_core.data.dataset import Size
from trainer_core.memory.fake_model import published_configs
from trainer_core.memory.rehearsal import STATE, WEIGHTS, Rehearsal, without_memory
from trainer_core.memory.row import Row
from trainer_core.models.sniff import FamilyName

SIDE = 512
OPTIMIZER = "adamw8bit"
"""The one of the configurations that are rehearsed; passes are measured without any."""
_MEMORY: dict[str, dict[str, Any]] = {
    "float32": {},
    "mixed": {"mixed_precision": "bf16"},
    "sixteen": {"mixed_precision": "bf16", "full_bf16": True},
}


def settings_of(row: Row, **network: int) -> Config:
    """Return a configuration of `row` with one picture of 512 x 512 in a batch."""
    memory = _MEMORY[row.precision] | {"gradient_checkpointing": row.checkpointing}
    if row.base_dtype != "same":
        memory |= {"base_dtype": "int8"}
    return Config.model_validate(
        {
            "schema": 1,
            "method": {"train": row.train},
            "optimizer": {"type": OPTIMIZER},
            "memory": memory,
            "network": network,
        }
    )


def measure_pass(row: Row, pictures: Sequence[int], **network: int) -> dict[str, Any]:
    """Return what passes with so many pictures need besides optimizer state, in bytes.

    `totals` are their peaks, `aparts` those besides gradients; the others are the weights on the device, the
    numbers trained, their gradients and the largest of these.
    """
    with without_memory():
        rehearsal = Rehearsal(
            settings_of(row, **network),
            row.family,
            "epsilon",
            published_configs(row.family, "epsilon"),
            (SIDE, SIDE),
            most=max(pictures),
            has_update=False,
        )
        peaks = [rehearsal.step()["passes"]] if pictures[0] == 1 else []
        peaks += [rehearsal.step_of(count)["passes"] for count in pictures[len(peaks) :]]
        parameters = rehearsal.job.parameters.values()
        return {
            "pictures": list(pictures),
            "totals": [peak.total for peak in peaks],
            "aparts": [peak.apart for peak in peaks],
            "weights": peaks[0].kinds[WEIGHTS],
            "numbers": sum(each.numel() for each in parameters),
            "gradients": sum(each.nbytes for each in parameters),
            "largest": max(each.nbytes for each in parameters),
        }


def measure_sample(row: Row, sides: Sequence[int]) -> list[int]:
    """Return what a preview of side x side needs besides what lies on the device anyway, for each side."""
    with without_memory():
        rehearsal = _rehearsal(settings_of(row), row.family)
        rehearsal.hold()
        before, found = rehearsal.tracker.total, []
        for side in sides:
            rehearsal.tracker.let_go(rehearsal.model.vae.parameters())
            found.append(rehearsal.sample((side, side))["sample"].total - before)
        return found


def measure_updates(row: Row, optimizers: Sequence[str]) -> dict[str, list[int]]:
    """Return for each optimizer its state, and what its update needs besides weights, gradients and state."""
    with without_memory():
        rehearsal = _rehearsal(settings_of(row), row.family)
        gradients = sum(each.nbytes for each in rehearsal.job.parameters.values())
        found = {}
        for optimizer in optimizers:
            peak = rehearsal.update(optimizer)["update"]
            state = peak.kinds.get(STATE, 0)
            found[optimizer] = [state, peak.total - peak.kinds[WEIGHTS] - state - gradients]
        return found


def measure_cache(side: int) -> int:
    """Return what encoding a picture of side x side needs."""
    with without_memory():
        rehearsal = _rehearsal(settings_of(Row("sd1", "lora", "mixed", True)), "sd1", (side, side))
        return rehearsal.cache()["cache"].total


def _rehearsal(config: Config, family: FamilyName, size: Size = (SIDE, SIDE)) -> Rehearsal:
    return Rehearsal(config, family, "epsilon", published_configs(family, "epsilon"), size)
