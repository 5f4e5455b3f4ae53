"""The pictures of a training as a checkpoint remembers them, and what became of them since."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item
from trainer_core.text import safe_text

SHOWN = 5
Row = list[Any]
"""What decides which data a step sees, for one picture: its file's name, caption, whether it is a class picture,
repeats, bucket [width, height], and the SHA-256 of the file ("" where that is not known)."""
_NAME, _CAPTION, _CONTENT = 0, 1, 5
_PART = slice(2, 5)


def rows_of(items: Sequence[Item], fits: Sequence[Fit], digests: Mapping[Path, str]) -> list[Row]:
    """Return a row for each item, in the order of the items, which the batches follow from."""
    return [
        [
            safe_text(item.picture.path.name),
            item.picture.caption,
            item.is_class,
            item.repeats,
            list(fit.bucket),
            digests.get(item.picture.path, ""),
        ]
        for item, fit in zip(items, fits, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PictureChanges:
    """Names of the pictures that are not what they were, by what happened to them."""

    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    in_order: bool = True

    def __bool__(self) -> bool:
        changed = (self.gone, self.new, self.renamed, self.content, self.caption, self.part)
        return any(changed) or not self.in_order

    def words(self) -> str:
        """Say it in one line."""
        told = [
            _told("gone", self.gone),
            _told("new", self.new),
            _told("renamed", self.renamed),
            _told("of other content", self.content),
            _told("with another caption", self.caption),
            _told("with other repeats, size or role", self.part),
        ]
        return "; ".join(each for each in told if each) or "in another order"


def changed_pictures(was: Sequence[Row], now: Sequence[Row]) -> PictureChanges:
    """Compare two lists of rows; a content that is not known on one side is not compared."""
    before, after = _by_name(was), _by_name(now)
    gone = [row for key, row in before.items() if key not in after]
    new = [row for key, row in after.items() if key not in before]
    renamed = _renamed(gone, new)
    told = {id(row) for pair in renamed for row in pair}
    both = [(row, after[key]) for key, row in before.items() if key in after]
    return PictureChanges(
        gone=_names(row for row in gone if id(row) not in told),
        new=_names(row for row in new if id(row) not in told),
        renamed=tuple(f"{one[_NAME]} to {other[_NAME]}" for one, other in renamed),
        content=_names(one for one, other in both if _differ(_content(one), _content(other))),
        caption=_names(one for one, other in both if one[_CAPTION] != other[_CAPTION]),
        part=_names(one for one, other in both if one[_PART] != other[_PART]),
        in_order=[key for key in before if key in after] == [key for key in after if key in before],
    )


def _by_name(rows: Sequence[Row]) -> dict[tuple[str, int], Row]:
    """Give each row its name and its number among those of that name: folders may hold equal names."""
    seen: Counter[str] = Counter()
    found = {}
    for row in rows:
        seen[row[_NAME]] += 1
        found[row[_NAME], seen[row[_NAME]]] = row
    return found


def _renamed(gone: Sequence[Row], new: Sequence[Row]) -> list[tuple[Row, Row]]:
    arrived = {_content(row): row for row in new if _content(row)}
    return [(row, arrived.pop(_content(row))) for row in gone if _content(row) in arrived]


def _content(row: Row) -> str:
    return str(row[_CONTENT]) if len(row) > _CONTENT else ""  # format 1 did not hash the files


def _differ(one: str, other: str) -> bool:
    return bool(one) and bool(other) and one != other


def _names(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(row[_NAME] for row in rows)


def _told(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:SHOWN])}{more})"
