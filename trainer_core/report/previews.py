"""Which previews a page shows. Pure: previews in, rows of them out."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from trainer_core.report.story import Preview
from trainer_core.suggestion import Suggestion

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

    def at(self, step: int) -> Preview | None:
        """Return what was drawn at a step."""
        return next((each for each in self.previews if each.step == step), None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is known of the saved models: the steps of all of them, and the one that is suggested."""

    saved: AbstractSet[int]
    suggestion: Suggestion | None

    @property
    def step(self) -> int | None:
        """The step of the one that the numbers suggest."""
        return self.suggestion.step if self.suggestion and self.suggestion.is_measured else None


def rows_of(previews: Iterable[Preview]) -> list[Row]:
    """Group previews by prompt and seed, in the order in which they first appear."""
    found: dict[tuple[str, int], dict[int, Preview]] = {}
    for preview in previews:
        found.setdefault((preview.prompt, preview.seed), {})[preview.step] = preview
    return [
        Row(prompt, seed, tuple(by_step[step] for step in sorted(by_step)))
        for (prompt, seed), by_step in found.items()
    ]


def steps_of(rows: Sequence[Row], chosen: Chosen, most: int = MOST_COLUMNS) -> list[int]:
    """Return the steps of a sheet of all rows, at most `most`: the first, the last, and those of saved models.

    The suggested one is always among them where it was drawn.
    """
    every = sorted({each.step for row in rows for each in row.previews})
    if len(every) <= most:
        return every
    inner = [step for step in every[1:-1] if step in chosen.saved]
    inner = inner if len(inner) >= most - 2 else every[1:-1]
    kept = {every[0], every[-1], *(inner[place] for place in _spread(len(inner), most - 2))}
    wanted = chosen.step
    if wanted in every and wanted not in kept:
        kept.remove(min(kept - {every[0], every[-1]}, key=lambda step: abs(step - wanted)))
        kept.add(wanted)
    return sorted(kept)


def _spread(count: int, most: int) -> Sequence[int]:
    if count <= most:
        return range(count)
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})
