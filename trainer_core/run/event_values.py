"""Values out of events, which may hold anything: what is no number, count or text is taken for not told."""

from typing import Any

Event = dict[str, Any]
LONGEST_TEXT = 2000
_LARGEST = 1e15
"""No count, size or time of a run reaches it; larger numbers are taken for garbage."""


def number(value: object) -> float | None:
    """Return a value that is a number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None


def number_in(event: Event, name: str) -> float | None:
    """Return a number; None where there is none."""
    return number(event.get(name))


def known_count_in(event: Event, name: str) -> int | None:
    """Return a whole number from 0 on; None where there is none."""
    value = event.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST else None


def count_in(event: Event, name: str) -> int:
    """Return a whole number from 0 on; 0 where there is none."""
    return known_count_in(event, name) or 0


def text_in(event: Event, name: str, longest: int = LONGEST_TEXT) -> str:
    """Return the beginning of a text; "" where there is none."""
    value = event.get(name)
    return value[:longest] if isinstance(value, str) else ""
