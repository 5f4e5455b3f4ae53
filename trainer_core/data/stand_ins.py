"""Picture files that go missing while a training reads them: others take their place, as long as they are few."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainer_core.data.dataset import Item, Size
from trainer_core.data.listing import counted, name_some
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

MOST_LOST = 0.1
"""Share of the pictures that may be lost, one in any case; with more it is not the training that was meant."""
SHOWN = 5
_ACTION = "put {0} back, then `dbtui resume`, or leave {0} out and add --allow-changed"


class LostPictureError(UserError):
    """A picture that was there at the start cannot be read any more, or has changed."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.told = f"{safe_text(path)} {reason.partition('. ')[0]}"  # without the next action
        super().__init__(f"{safe_text(path)} {reason}", ExitCode.DATASET)


class StandIns:
    """Which item is trained in place of one whose file is lost: the next of its kind and size that is not.

    That depends on what is lost alone, not on the order in which it was found out. Safe in threads.

    Attributes:
        lost: the files that were found lost.
    """

    def __init__(
        self, items: Sequence[Item], buckets: Mapping[Size, Sequence[int]], tell: Callable[[str], None]
    ) -> None:
        """Stand in for `items`, sorted into `buckets`; `tell` is told at the 1st, 2nd, 4th, 8th lost picture."""
        self.lost: set[Path] = set()
        self._items = items
        self._bucket_of = {item: sorted(set(members)) for members in buckets.values() for item in members}
        self._allowed = max(1, int(MOST_LOST * len({item.picture.path for item in items})))
        self._tell = tell
        self._one_at_a_time = threading.Lock()

    def instead_of(self, item: int, error: LostPictureError) -> int:
        """Return the item to train in place of `item`, whose file is lost.

        Raises:
            UserError: too many are lost, or there is no other of its size (code DATASET).
        """
        with self._one_at_a_time:
            if error.path not in self.lost:
                self.lost.add(error.path)
                self._note(error)
            other = self._next(item)
        if other is None:
            raise UserError(
                f"{error.told}, and there is no other picture of its size: {_ACTION.format('it')}",
                ExitCode.DATASET,
            )
        return other

    def _note(self, error: LostPictureError) -> None:
        count = len(self.lost)
        if count > self._allowed:
            names = name_some(sorted(self.lost), SHOWN)
            raise UserError(
                f"{counted(count, 'picture')} cannot be read now, or changed ({names}): {_ACTION.format('them')}",
                ExitCode.DATASET,
            )
        if count & (count - 1) == 0:
            so_far = "" if count == 1 else f" ({counted(count, 'picture')} so far)"
            self._tell(f"{error.told}: it is left out, another of its size is trained instead{so_far}")

    def _next(self, item: int) -> int | None:
        members = self._bucket_of[item]
        start = members.index(item)
        for other in members[start + 1 :] + members[:start]:
            if self._items[other].is_class == self._items[item].is_class and not self._is_lost(other):
                return other
        return None

    def _is_lost(self, item: int) -> bool:
        return self._items[item].picture.path in self.lost
