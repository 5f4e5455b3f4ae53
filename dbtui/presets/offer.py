"""Which presets suit a model and a way of training, which of them fit a card, and which one to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbtui.doctor.graphics import Gpu
from dbtui.presets.inspect import Inspected, inspect
from dbtui.presets.library import shipped, yours
from trainer_core.config.schema import Config
from trainer_core.text import safe_text

Fit = Literal["yes", "not now", "no", "unknown"]

_NOMINAL = 0.92
"""A card sold with 16 GB has as little as 15 for programs, one with 24 has 22.5; one with 11 is no 12."""
_FREE = 0.8
"""Share of a preset's card that must be free: a desktop holds about 1 GB."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A preset that could be taken. All texts are safe to show.

    Attributes:
        card_gb: the smallest card that it is made for; None if it does not say.
        measured: what finished runs measured, or "unverified".
        is_own: whether it is the person's own.
        config: all of its settings.
    """

    name: str
    title: str
    description: str
    card_gb: float | None
    measured: str
    is_own: bool
    config: Config

    @property
    def card(self) -> str:
        """The size of card in words."""
        return f"{self.card_gb:g} GB" if self.card_gb else "any card"


def offers(family: str | None, train: str) -> tuple[list[Offer], int]:
    """Return the presets for a family (all if it is unknown) and "full" or "lora", smallest card first
    within a family, and how many of the person's own are left out because they are broken.
    """
    read = [inspect(preset) for preset in (*shipped(), *yours()[0])]
    suiting = [each for each in map(_offer, read) if each and _suits(each.config, family, train)]
    broken = sum(each.config is None for each in read)
    order = sorted(suiting, key=lambda each: (each.config.model.family, each.card_gb or float("inf")))
    return order, broken


def fit(offer: Offer, gpu: Gpu) -> Fit:
    """Say whether a card is large enough, and has as much free just now."""
    if offer.card_gb is None or gpu.total_gb is None:
        return "unknown"
    if gpu.total_gb < _NOMINAL * offer.card_gb:
        return "no"
    is_held = gpu.free_gb is not None and gpu.free_gb < _FREE * offer.card_gb
    return "not now" if is_held else "yes"


def best(offered: Sequence[Offer], gpu: Gpu | None) -> Offer | None:
    """Return the preset to take: the largest that fits, else the smallest of all.

    Without a card nobody knows what will train: then it is the smallest that keeps full precision.
    """
    sized = [each for each in offered if each.card_gb is not None] or list(offered)
    if gpu is None:
        return next((each for each in sized if not _is_coarse(each.config)), _first(sized))
    fitting = [each for each in sized if fit(each, gpu) == "yes"]
    largest = max((each.card_gb or 0 for each in fitting), default=None)
    return _first([each for each in fitting if (each.card_gb or 0) == largest]) or _first(sized)


def _first(offered: Sequence[Offer]) -> Offer | None:
    return offered[0] if offered else None


def _is_coarse(config: Config) -> bool:
    return config.memory.full_fp16 or config.memory.full_bf16


def _offer(read: Inspected) -> Offer | None:
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
    )


def _suits(config: Config, family: str | None, train: str) -> bool:
    is_of_family = family is None or config.model.family in {"auto", family}
    return is_of_family and config.method.train == train
