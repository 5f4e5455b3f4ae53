"""Which previews a page shows. Pure: previews in, rows of them out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainer_core.report.story import Preview

MOST_ROWS = 12
MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """The previews of one prompt and seed, their steps rising, each step once."""

    prompt: str
    seed: int
    previews: tuple[Preview, ...]

    @property
    def untrained(self) -> Preview | None:
        """What the start model drew, before the first step."""
        first = self.previews[0]
        return first if first.step == 0 else None

    def spread(self, most: int = MOST_COLUMNS) -> list[Preview]:
        """Return at most `most` of them: the first, the last, and evenly spaced ones between."""
        return [self.previews[place] for place in _spread(len(self.previews), most)]


def rows_of(previews: Iterable[Preview]) -> list[Row]:
    """Group previews by prompt and seed, in the order in which they first appear."""
    found: dict[tuple[str, int], dict[int, Preview]] = {}
    for preview in previews:
        found.setdefault((preview.prompt, preview.seed), {})[preview.step] = preview
    return [
        Row(prompt, seed, tuple(by_step[step] for step in sorted(by_step)))
        for (prompt, seed), by_step in found.items()
    ]


def _spread(count: int, most: int) -> Sequence[int]:
    if count <= most:
        return range(count)
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})
