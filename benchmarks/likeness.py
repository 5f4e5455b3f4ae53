"""How much pictures look like the subject, and how far those of its class went: cosines of centred features."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from dbtui.demo.world.scene import choose_scene, draw_scene
from dbtui.demo.world.subject import CLASS, draw_subject

REFERENCES_FROM = 3_000_000
"""Seeds of the pictures that the subject and other frogs are known by; none is trained on."""
REFERENCES = 48

See = Callable[[Sequence[Image.Image]], Tensor]
"""Gives the features of n pictures, [n, f]."""


class Likeness:
    """Compares what a model draws with drawn pictures, and with what the start model drew at the same seeds."""

    def __init__(self, see: See, before: Sequence[Image.Image]) -> None:
        """Know the subject and other frogs by the features that `see` gives; `before` is the class, untrained."""
        self.see = see
        seeds = range(REFERENCES_FROM, REFERENCES_FROM + REFERENCES)
        subject = see([draw_subject(seed) for seed in seeds])
        others = see([draw_scene(choose_scene(seed, animal=CLASS)) for seed in seeds])
        self.middle = torch.cat([subject, others]).mean(dim=0)
        self.subject, self.others = self._direction(subject), self._direction(others)
        self.before = self._direction(see(before))

    def fidelity(self, pictures: Sequence[Image.Image]) -> float:
        """Return the mean cosine with the subject's pictures, less that with the other frogs': -2 to 2."""
        seen = self._direction(self.see(pictures))
        return float((seen @ self.subject.T).mean() - (seen @ self.others.T).mean())

    def drift(self, pictures: Sequence[Image.Image]) -> float:
        """Return the mean 1 - cosine with the start model's pictures, one by one: 0 to 2."""
        return float(1 - (self._direction(self.see(pictures)) * self.before).sum(dim=1).mean())

    def _direction(self, features: Tensor) -> Tensor:
        return F.normalize(features - self.middle, dim=1)
