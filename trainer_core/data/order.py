"""The order of training: which pictures form which batch, at which step, decided by the seed alone.

Nothing here has a state. The batches of step s depend on (items, seed, s) only, so a resumed run continues with
exactly the batches that the uninterrupted one would have seen.
"""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from trainer_core.data.dataset import Size


def derive_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part; unlike sums of seeds, different parts do not collide."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Items of one forward pass, by their index; all are of one bucket size."""

    size: Size
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """All batches of a training.

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

    @property
    def batches_per_epoch(self) -> int:
        """Sum over the buckets of ceil(items / batch size)."""
        return sum(math.ceil(len(items) / self.batch_size) for items in self.buckets.values())

    @property
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

    def _epoch(self, epoch: int) -> tuple[MicroBatch, ...]:
        return _shuffled_epoch(self._key(), epoch)

    def _key(self) -> tuple[tuple[tuple[Size, tuple[int, ...]], ...], int, int]:
        buckets = tuple((size, tuple(items)) for size, items in sorted(self.buckets.items()))
        return buckets, self.batch_size, self.seed


@lru_cache(maxsize=2)
def _shuffled_epoch(
    key: tuple[tuple[tuple[Size, tuple[int, ...]], ...], int, int], epoch: int
) -> tuple[MicroBatch, ...]:
    buckets, batch_size, seed = key
    shuffler = random.Random(derive_seed(seed, "order", epoch))
    batches = []
    for size, items in buckets:
        shuffled = list(items)
        shuffler.shuffle(shuffled)
        starts = range(0, len(shuffled), batch_size)
        batches += [MicroBatch(size, tuple(shuffled[start : start + batch_size])) for start in starts]
    shuffler.shuffle(batches)
    return tuple(batches)
