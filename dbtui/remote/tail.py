"""The lines of a growing file on another machine, each once, over any number of connections. Pure."""

from typing import Any

from dbtui.remote.standing import Sight
from trainer_core.run.lines import decode_line

_MOST = 1 << 22
_MOST_EVER = 1 << 28


class RemoteLines:
    """Knows how far the events were read. Only whole lines count, so that a torn one is asked for again.

    Attributes:
        offset: bytes to ask from; whole lines before it were read.
        most: bytes to ask for.
        is_behind: whether there may be more at once.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.most = _MOST
        self.is_behind = True
        self._first_line = ""

    def take(self, sight: Sight) -> list[dict[str, Any]]:
        """Return the objects of the lines that came whole with `sight`, which was asked for from `offset` on.

        A file that is shorter than what was read, or begins otherwise, is another one: it is read from its start
        with the next look.
        """
        if self._is_another(sight):
            self.offset, self._first_line, self.is_behind = 0, "", True
            return []
        whole = sight.events[: sight.events.rfind(b"\n") + 1]
        self.is_behind = len(sight.events) >= self.most
        if self.is_behind and not whole:
            self.most = min(self.most * 2, _MOST_EVER)
        self.offset += len(whole)
        if self.offset:
            self._first_line = self._first_line or sight.first_line
        return [record for line in whole.split(b"\n") if line and (record := decode_line(line)) is not None]

    def _is_another(self, sight: Sight) -> bool:
        if not self.offset or sight.events_size is None:
            return False
        return sight.events_size < self.offset or sight.first_line != self._first_line
