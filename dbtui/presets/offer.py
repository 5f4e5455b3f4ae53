"""Which presets suit a model and a way of training, which of them fit a card, and which one to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbtui.doctor.graphics import Gpu
from dbtui.presets.compare import given_up
from dbtui.presets.inspect import Inspected, inspect
from dbtui.presets.library import shipped, yours
from trainer_core.config.schema import Config
from trainer_core.memory.predict import predict
from trainer_core.models.sniff import FamilyName
from trainer_core.text import safe_text

Fit = Literal["yes", "not now", "no", "unknown"]

_NOMINAL = 0.92
"""A card sold with 16 GB has as little as 15 for programs, one with 24 has 22.5; one with 11 is no 12."""
_FREE = 0.8
"""Share of a preset's card that must be free: a desktop holds about 1 GB."""
_SPARE = 0.05
"""Share of what is free that a preset leaves, to be taken by itself: a prediction is a few percent off."""
_GB = 2**30


@dataclass(frozen=True, slots=True)
class Offer:
    """A preset that could be taken. All texts are safe to show.

    Attributes:
        card_gb: the smallest card that it is made for; None if it does not say.
        measured: what finished runs measured, or "unverified".
        is_own: whether it is the person's own.
        config: all of its settings.
        needed_gb: the predicted peak, with what the allocator and CUDA hold; None if only a rehearsal can tell.
    """

    name: str
    title: str
    description: str
    card_gb: float | None
    measured: str
    is_own: bool
    config: Config
    needed_gb: float | None = None

    @property
    def card(self) -> str:
        """The size of card in words."""
        return f"{self.card_gb:g} GB" if self.card_gb else "any card"


def offers(family: FamilyName | None, train: str) -> tuple[list[Offer], int]:
    """Return the presets for a family (all if it is unknown) and "full" or "lora", smallest card first
    within a family, and how many of the person's own are left out because they are broken.
    """
    read = [inspect(preset) for preset in (*shipped(), *yours()[0])]
    offered = (_offer(each, family) for each in read)
    suiting = [each for each in offered if each and _suits(each.config, family, train)]
    broken = sum(each.config is None for each in read)
    order = sorted(suiting, key=lambda each: (each.config.model.family, each.card_gb or float("inf")))
    return order, broken


def needed_gb(config: Config, family: FamilyName | None) -> float | None:
    """Return the predicted peak of a configuration for a model of that family (its own, where it names one)."""
    named = family if config.model.family == "auto" else config.model.family
    found = predict(config, named) if named else None
    return found.needed / _GB if found else None


def fit(offer: Offer, gpu: Gpu) -> Fit:
    """Say whether a card is large enough, and has as much free just now.

    That is by prediction; where there is none, by the word of the preset's author.
    """
    if gpu.total_gb is None:
        return "unknown"
    spare = spare_gb(offer, gpu)
    if spare is not None and offer.needed_gb is not None:
        return "yes" if spare >= 0 else "not now" if offer.needed_gb <= gpu.total_gb else "no"
    if offer.card_gb is None:
        return "unknown"
    if gpu.total_gb < _NOMINAL * offer.card_gb:
        return "no"
    is_held = gpu.free_gb is not None and gpu.free_gb < _FREE * offer.card_gb
    return "not now" if is_held else "yes"


def spare_gb(offer: Offer, gpu: Gpu) -> float | None:
    """Return what is predicted to stay free of what is free now, below 0 if it is too little; None if unknown."""
    free = _free_gb(gpu)
    return None if free is None or offer.needed_gb is None else free - offer.needed_gb


def is_close(offer: Offer, gpu: Gpu) -> bool:
    """Tell whether so little stays free that the prediction may be too far off for it."""
    spare = spare_gb(offer, gpu)
    return spare is not None and spare < _SPARE * (_free_gb(gpu) or 0)


def best(offered: Sequence[Offer], gpu: Gpu | None) -> Offer | None:
    """Return the preset to take: of those that fit, the one that gives up least; else the one that needs least.

    Of two that give up as much, it is that for the larger card. Without a card nobody knows what will train: then
    it is the smallest that keeps full precision.
    """
    if gpu is None:
        sized = [each for each in offered if each.card_gb is not None] or list(offered)
        return next((each for each in sized if not _is_coarse(each.config)), _first(sized))
    fitting = [each for each in offered if fit(each, gpu) == "yes"]
    roomy = [each for each in fitting if not is_close(each, gpu)]
    configs = [each.config for each in offered]
    best_first = sorted(
        roomy or fitting, key=lambda each: (len(given_up(each.config, configs)), -(each.card_gb or 0))
    )
    return _first(best_first) or min(offered, key=_least, default=None)


def _free_gb(gpu: Gpu) -> float | None:
    return gpu.total_gb if gpu.free_gb is None else gpu.free_gb


def _least(offer: Offer) -> float:
    return offer.needed_gb or offer.card_gb or float("inf")


def _first(offered: Sequence[Offer]) -> Offer | None:
    return offered[0] if offered else None


def _is_coarse(config: Config) -> bool:
    return config.memory.full_fp16 or config.memory.full_bf16


def _offer(read: Inspected, family: FamilyName | None) -> Offer | None:
    if read.config is None:
        return None
    about = read.config.preset
    return Offer(
        name=read.preset.name,
        title=safe_text(about.title, 120),
        description=safe_text(about.description, 2000),
        card_gb=about.min_vram_gb,
        measured=read.measured,
        is_own=read.preset.origin == "yours",
        config=read.config,
        needed_gb=needed_gb(read.config, family),
    )


def _suits(config: Config, family: str | None, train: str) -> bool:
    is_of_family = family is None or config.model.family in {"auto", family}
    return is_of_family and config.method.train == train
