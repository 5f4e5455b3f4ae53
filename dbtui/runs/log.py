"""A run's log: its events in readable lines, and between them what libraries printed on the trainer's console."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress

from dbtui.dashboard.plain import PlainLines
from dbtui.dashboard.state import Event
from dbtui.runs.console import ConsoleReader
from trainer_core.narrate import narration
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lines import LineReader
from trainer_core.text import safe_text

_LONGEST = 4000
_REMEMBERED = 20_000
_INDENT = " " * 10
"""What the console says has no time of day; it stands below the words of the events."""


class LogReader:
    """Gives a run's log as lines that are safe to print, each once; `poll` returns what is new.

    The trainer tells most events on its console too, in words of their own. Those lines are left out, but show
    between which events the others were printed.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._events = LineReader(run.events)
        self._console = ConsoleReader(run.console_log)
        self._plain = PlainLines(tells_end=True)
        self._awaited: Counter[str] = Counter()
        """Words of events that were told, and that were not met on the console yet."""
        self._held: list[str] = []
        """Lines that no event explains; one may be on its way to the disk, so they wait for one more look."""

    def poll(self, *, is_over: bool = False) -> list[str]:
        """Return the new lines; with `is_over` also those that would wait, and a last one without its end."""
        console = [*self._held, *self._console.poll(is_over=is_over)]
        waited = len(self._held)
        events = self._events.poll()
        lines, left = self._merge(events, console)
        self._held = [] if is_over else [console[index] for index in left if index >= waited]
        return lines + [_foreign(console[index]) for index in left if is_over or index < waited]

    def _merge(self, events: Sequence[Event], console: Sequence[str]) -> tuple[list[str], list[int]]:
        """Tell the events, and lines of the console before the event whose words follow them.

        Return the lines, and the indices of the console lines that follow the last event.
        """
        places: defaultdict[str, deque[int]] = defaultdict(deque)
        words = [_words(event) for event in events]
        for index, each in enumerate(words):
            if each:
                places[each].append(index)
        lines: list[str] = []
        told, pending = 0, list[int]()
        for number, line in enumerate(console):
            if self._awaited[line] > 0:
                self._awaited[line] -= 1
                continue
            found = places.get(line, deque())
            while found and found[0] < told:
                found.popleft()
            if not found:
                pending.append(number)
                continue
            lines += self._tell(events[told : found[0]], words[told : found[0]])
            lines += [_foreign(console[index]) for index in pending]
            lines += self._plain.feed([events[found[0]]])
            told, pending = found[0] + 1, []
        return lines + self._tell(events[told:], words[told:]), pending

    def _tell(self, events: Sequence[Event], words: Sequence[str]) -> list[str]:
        self._awaited.update(each for each in words if each)
        while len(self._awaited) > _REMEMBERED:
            del self._awaited[next(iter(self._awaited))]
        return self._plain.feed(events)


def _words(event: Event) -> str:
    """Return how the trainer tells an event on its console; empty if it does not."""
    with suppress(KeyError, TypeError, ValueError):
        return narration(str(event.get("kind")), event) or ""
    return ""


def _foreign(line: str) -> str:
    return _INDENT + safe_text(line, _LONGEST)
