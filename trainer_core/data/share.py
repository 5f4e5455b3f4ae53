"""The part of each batch that one of several processes computes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive samples of a batch.

    Attributes:
        rows: which ones.
        counts: whether they are this process's own. A batch with fewer samples than there are processes leaves
            some without one: they go through the first sample, whose loss counts nothing, so that the same weights
            have a gradient everywhere.
    """

    rows: slice
    counts: bool

    @property
    def size(self) -> int:
        """Number of samples that go through the model."""
        return int(self.rows.stop - self.rows.start)


@dataclass(frozen=True, slots=True)
class Share:
    """Which of `processes` deals itself which samples: process `rank` (from 0) takes its part of each batch."""

    rank: int = 0
    processes: int = 1

    def of(self, count: int) -> Part | None:
        """Return the part in a batch of `count`; None means the whole of it, for the only process."""
        if self.processes == 1:
            return None
        first, end = (rank * count // self.processes for rank in (self.rank, self.rank + 1))
        return Part(slice(first, end), counts=True) if first < end else Part(slice(0, 1), counts=False)


WHOLE = Share()
