"""The pictures of a dataset as the trainer sees them, each in the first step that has it. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from trainer_core.config.schema import Dataset
from trainer_core.data.augment import Variation, variation_of, varied_picture
from trainer_core.data.buckets import Fit
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item
from trainer_core.data.images import load_picture
from trainer_core.data.order import Draw, TrainingOrder


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture to show: its item, how it is fitted and varied, and its text."""

    item: Item
    fit: Fit
    variation: Variation
    text: str

    def small(self, side: int) -> Image.Image:
        """Return what the trainer gets, made so small that no side is longer than `side` pixels.

        Raises:
            BadPictureError: the file cannot be read, or is not what it was.
        """
        picture = varied_picture(load_picture(self.item.picture.path), self.fit, self.variation)
        picture.thumbnail((side, side), Image.Resampling.BOX)
        return picture


def first_seen(
    dataset: Dataset,
    items: Sequence[Item],
    fits: Sequence[Fit],
    order: TrainingOrder,
    total_steps: int,
    *,
    most: int | None = None,
) -> list[Shown]:
    """List items as they are in the first step that has them, in the order of the folders.

    With `most`, the search ends as soon as so many are found, so that they are those of the first steps.
    """
    captions = CaptionSteps(dataset, items, total_steps)
    draws = _first_draws(order, most)
    return [
        Shown(items[index], fits[index], variation_of(dataset, draw.seed), captions(draw))
        for index, draw in sorted(draws.items())
    ]


def _first_draws(order: TrainingOrder, most: int | None) -> dict[int, Draw]:
    draws: dict[int, Draw] = {}
    for step in range(order.steps_per_epoch):
        for number, micro in enumerate(order.step(step)):
            for draw in order.draws(step, number, micro):
                if most is not None and len(draws) >= most:
                    return draws
                draws.setdefault(draw.item, draw)
    return draws
