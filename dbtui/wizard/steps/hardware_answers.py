"""What choosing a preset writes into the draft, with fp16 in the place of bf16 where a card has none."""

from collections.abc import Sequence
from typing import Any

from dbtui.doctor.graphics import Gpu
from dbtui.presets.offer import Offer
from dbtui.wizard.draft import Draft
from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of

MARK = "hardware.instead_of_bf16"
"""In `Draft.aside`: what stood in the draft before fp16 was put there."""


def choose_preset(draft: Draft, offer: Offer, gpu: Gpu | None) -> None:
    """Lay the answers over this preset, as the card that was found needs it."""
    draft.preset = offer.name
    _take_back(draft)
    if gpu is None or gpu.has_bf16 is not False or settled_precision(draft, offer) != "bf16":
        return
    if MARK in draft.aside:  # the person has put bf16 back
        return
    ours: dict[str, Any] = {"memory.mixed_precision": "fp16"}
    if draft.get("memory.full_bf16", offer.config.memory.full_bf16):
        ours["memory.full_fp16"] = True
    draft.aside[MARK] = {key: draft.get(key) for key in ours}
    for key, value in ours.items():
        draft.set(key, value)


def settled_precision(draft: Draft, offer: Offer) -> str:
    """Return the precision of the forward pass that will be used."""
    return str(draft.get("memory.mixed_precision", offer.config.memory.mixed_precision))


def kept_answers(draft: Draft, offered: Sequence[Offer]) -> list[str]:
    """Return the answered settings in which the presets differ: no choice of a preset changes them."""
    presets = [offer.config.model_dump(by_alias=True) for offer in offered]
    ours = draft.aside.get(MARK)
    return [
        key
        for key, field in all_fields().items()
        if field.table != "preset"
        and draft.get(key) is not None
        and not (isinstance(ours, dict) and key in ours)
        and any(value_of(preset, field) != value_of(presets[0], field) for preset in presets)
    ]


def _take_back(draft: Draft) -> None:
    """Undo what was put there for another preset or card; what the person has changed since is theirs."""
    before = draft.aside.get(MARK)
    if not isinstance(before, dict) or draft.get("memory.mixed_precision") != "fp16":
        return
    for key, value in before.items():
        draft.set(key, value)
    del draft.aside[MARK]
