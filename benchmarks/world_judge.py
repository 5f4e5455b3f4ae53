"""Tells what a picture of the drawn world shows: a small network, trained on pictures that are drawn for it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from dbtui.demo.world.animals import ANIMALS
from dbtui.demo.world.canvas import Place
from dbtui.demo.world.palette import BACKGROUNDS, COATS
from dbtui.demo.world.scene import Scene, choose_scene, draw_scene

LABELS: dict[str, list[str]] = {
    "animal": list(ANIMALS),
    "color": list(COATS),
    "background": list(BACKGROUNDS),
    "hat": ["none", "hat"],
}
SEEDS_FROM = 5_000_000
"""Apart from the pictures of the demo model and of its subject."""
SHARE_WITH_HAT = 0.4
RATE, BATCH = 3e-3, 64


class Judge(nn.Module):
    """Four convolutions and a choice for each of LABELS; likeness is measured with `features`."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 64, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.reading = nn.Sequential(nn.Flatten(), nn.Linear(64 * 16, 64), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(64, len(words)) for name, words in LABELS.items()})

    def features(self, pictures: Tensor) -> Tensor:
        """Return [n, 64] for pictures [n, 3, 64, 64] in -1..1."""
        features: Tensor = self.reading(self.layers(pictures))
        return features

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return the logits of each of LABELS."""
        seen = self.features(pictures)
        return {name: head(seen) for name, head in self.heads.items()}

    @torch.no_grad()
    def tell(self, pictures: Sequence[Image.Image]) -> list[dict[str, str]]:
        """Return the words for each picture, by the names of LABELS."""
        logits = self(as_tensor(pictures))
        return [
            {name: LABELS[name][int(each[row].argmax())] for name, each in logits.items()}
            for row in range(len(pictures))
        ]

    @torch.no_grad()
    def see(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Return the features of pictures, [n, 64]."""
        return self.features(as_tensor(pictures))


def train_judge(*, pictures: int = 3000, steps: int = 500, seed: int = 8) -> Judge:
    """Return a judge, trained on drawn pictures that are blurred and noisy as those of a small model are."""
    torch.manual_seed(seed)
    judge, generator = Judge(), torch.Generator().manual_seed(seed)
    scenes = [judged_scene(SEEDS_FROM + number) for number in range(pictures)]
    drawn = as_tensor([draw_scene(scene) for scene in scenes])
    labels = {name: torch.tensor([_label(scene, name) for scene in scenes]) for name in LABELS}
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE)
    course = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(pictures, (BATCH,), generator=generator)
        logits = judge(_spoilt(drawn[chosen], generator))
        loss = sum((F.cross_entropy(logits[name], labels[name][chosen]) for name in LABELS), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.step()
    return judge.eval()


def judged_scene(seed: int) -> Scene:
    """Return the scene of `seed`; any animal may wear the hat, so that a hat is not told by the frog below it."""
    scene, chance = choose_scene(seed), numpy.random.RandomState(seed % 2**32)
    place, lower = scene.place, chance.uniform() < 0.5
    if lower:
        size = place.size * 0.85
        place = Place(x=place.x, y=place.y + 0.14, size=size, tilt=place.tilt, mirrored=place.mirrored)
    return replace(scene, place=place, hat=bool(lower and chance.uniform() < 2 * SHARE_WITH_HAT))


def as_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    """Return pictures as float32 [n, 3, h, w] in -1..1."""
    stacked = numpy.stack([numpy.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def _label(scene: Scene, name: str) -> int:
    return int(scene.hat) if name == "hat" else LABELS[name].index(getattr(scene, name))


def _spoilt(pictures: Tensor, generator: torch.Generator) -> Tensor:
    blurred = F.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)
    twice = F.avg_pool2d(blurred, 5, stride=1, padding=2, count_include_pad=False)
    share = torch.rand(len(pictures), 1, 1, 1, generator=generator)
    mixed = torch.where(share < 0.33, pictures, torch.where(share < 0.66, blurred, twice))
    return mixed + 0.06 * torch.randn(mixed.shape, generator=generator)
