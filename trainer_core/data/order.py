"""The order of training: which pictures form which batch, at which step, decided by the seed alone.

Nothing here has a state. The batches of step s depend on (items, seed, s) only, so a resumed run continues with
exactly the batches that the uninterrupted one would have seen.
"""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from trainer_core.data.dataset import Size


def derive_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part; unlike sums of seeds, different parts do not collide."""
    text = "/".join(str(part) for part in parts)  # names of files may hold bytes that are not UTF-8
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Items of one forward pass, by their index; all are of one bucket size."""

    size: Size
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample of a step.

    Attributes:
        item: index of its item.
        step: optimizer step, from 0.
        epoch: epoch, from 0.
        seed: what everything random about the sample (mirroring, cropping, its caption) is derived from.
    """

    item: int
    step: int
    epoch: int
    seed: int


@dataclass(frozen=True)
class TrainingOrder:
    """All batches of a training; those of the last two epochs asked for are remembered.

    Attributes:
        buckets: for each bucket size, the indices of its items, each as often as it is repeated in an epoch.
        batch_size: pictures in one forward pass; the last of a bucket may be smaller, none is dropped.
        accumulation: forward passes in one optimizer step; the last step of an epoch may have fewer.
        seed: what the shuffling depends on.
    """

    buckets: Mapping[Size, Sequence[int]]
    batch_size: int
    accumulation: int
    seed: int
    _remembered: dict[int, tuple[MicroBatch, ...]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def batches_per_epoch(self) -> int:
        """Sum over the buckets of ceil(items / batch size)."""
        return sum(math.ceil(len(items) / self.batch_size) for items in self.buckets.values())

    @cached_property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the data: ceil(batches / accumulation)."""
        return math.ceil(self.batches_per_epoch / self.accumulation)

    def epoch_of(self, step: int) -> int:
        """Return the epoch, from 0, in which step `step` (from 0) lies."""
        return step // self.steps_per_epoch

    def step(self, step: int) -> tuple[MicroBatch, ...]:
        """Return the forward passes of optimizer step `step` (from 0)."""
        batches = self._epoch(self.epoch_of(step))
        first = step % self.steps_per_epoch * self.accumulation
        return batches[first : first + self.accumulation]

    def draws(self, step: int, number: int, micro: MicroBatch) -> tuple[Draw, ...]:
        """Return the samples of forward pass `number` of step `step`, which `micro` is."""
        epoch = self.epoch_of(step)
        return tuple(
            Draw(item, step, epoch, derive_seed(self.seed, "sample", step, number, place))
            for place, item in enumerate(micro.items)
        )

    def _epoch(self, epoch: int) -> tuple[MicroBatch, ...]:
        if epoch not in self._remembered:
            while len(self._remembered) > 1:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[epoch] = self._shuffled(epoch)
        return self._remembered[epoch]

    def _shuffled(self, epoch: int) -> tuple[MicroBatch, ...]:
        shuffler = random.Random(derive_seed(self.seed, "order", epoch))
        batches = []
        for size, items in sorted(self.buckets.items()):
            shuffled = list(items)
            shuffler.shuffle(shuffled)
            starts = range(0, len(shuffled), self.batch_size)
            batches += [MicroBatch(size, tuple(shuffled[start : start + self.batch_size])) for start in starts]
        shuffler.shuffle(batches)
        return tuple(batches)
