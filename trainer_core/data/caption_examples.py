"""Some pictures with the texts that they are trained with, to be looked at before anything starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.tables.captions import CaptionSettings
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item
from trainer_core.data.order import Draw, derive_seed

MOST = 6


@dataclass(frozen=True, slots=True)
class TextExample:
    """One picture and a text of it; `varies` tells that other steps may make another text of it."""

    path: Path
    is_class: bool
    text: str
    varies: bool


def text_examples(
    settings: CaptionSettings, items: Sequence[Item], total_steps: int, seed: int
) -> tuple[TextExample, ...]:
    """Return examples at the last step: of each folder, one for each place where its texts come from.

    Captions that are dropped as a whole are shown as if they were not.
    """
    steps = CaptionSteps(settings, items, total_steps)
    first: dict[tuple[Path, str], int] = {}
    for index, item in enumerate(items):
        if item.picture.caption:
            first.setdefault((item.picture.path.parent, item.picture.caption_from), index)
    last = max(0, total_steps - 1)
    draws = [Draw(index, last, 0, derive_seed(seed, "example", index)) for index in list(first.values())[:MOST]]
    return tuple(
        TextExample(items[draw.item].picture.path, items[draw.item].is_class, steps.kept(draw), steps.varies)
        for draw in draws
    )
