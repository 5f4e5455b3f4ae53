"""The loss over all steps in bounded memory, and its smoothed course."""

from dataclasses import dataclass, field

_MOST_BINS = 1024
_DECAY = 0.98
"""Weight of the past in the smoothed loss, per step: it looks back about 50 steps."""


@dataclass(slots=True)
class LossBin:
    """Neighbouring steps taken together: their span, mean, and the smoothed loss at their end."""

    first: int
    last: int
    total: float
    count: int
    average: float
    weight: float

    @property
    def mean(self) -> float:
        """Mean loss of the bin's steps."""
        return self.total / self.count

    @property
    def smooth(self) -> float:
        """Smoothed loss at the bin's last step (exponential average, corrected for its start at zero)."""
        return self.average / self.weight


@dataclass
class LossCurve:
    """At most 1024 bins; when they are full, neighbours are joined and each bin spans twice as many steps."""

    span: int = 1
    bins: list[LossBin] = field(default_factory=list)

    @property
    def smooth(self) -> float | None:
        """Smoothed loss at the last step; None before the first."""
        return self.bins[-1].smooth if self.bins else None

    def add(self, step: int, loss: float) -> None:
        """Add the loss of `step`, which is later than every step before."""
        last = self.bins[-1] if self.bins else None
        keep = _DECAY ** max(1, step - last.last) if last else 0.0
        average = (1 - _DECAY) * loss + (keep * last.average if last else 0.0)
        weight = (1 - _DECAY) + (keep * last.weight if last else 0.0)
        if last and last.first // self.span == step // self.span:
            last.last, last.total, last.count = step, last.total + loss, last.count + 1
            last.average, last.weight = average, weight
            return
        self.bins.append(LossBin(step, step, loss, 1, average, weight))
        if len(self.bins) > _MOST_BINS:
            self._join_neighbours()

    def drop_after(self, step: int) -> None:
        """Forget the steps after `step`: a resume does them anew. A bin that holds any of them goes whole."""
        while self.bins and self.bins[-1].last > step:
            self.bins.pop()

    def _join_neighbours(self) -> None:
        self.span *= 2
        joined: list[LossBin] = []
        for each in self.bins:
            if joined and joined[-1].first // self.span == each.first // self.span:
                left = joined[-1]
                total, count = left.total + each.total, left.count + each.count
                joined[-1] = LossBin(left.first, each.last, total, count, each.average, each.weight)
            else:
                joined.append(each)
        self.bins = joined
