"""Adding, removing and bringing back subjects of a draft; what is removed is kept aside."""

from typing import Any

from dbtui.wizard.draft import Draft, Tables
from dbtui.wizard.subjects.verdicts import text_of

_PLACE, _REMOVED = "subject.place", "subject.removed"
WORDS = ("identifier", "class", "instance_prompt")


def concepts_of(draft: Draft) -> list[Tables]:
    """Return the concepts to ask about: at least one, without making the draft hold it."""
    return [*draft.tables.get("concept", [])] or [{}]


def place_of(draft: Draft) -> int:
    """Return the number of the concept that was looked at last."""
    place = draft.aside.get(_PLACE, 0)
    return min(place, len(concepts_of(draft)) - 1) if isinstance(place, int) and place > 0 else 0


def go_to(draft: Draft, place: int) -> None:
    """Look at the concept of that number, if there is one."""
    if 0 <= place < len(concepts_of(draft)):
        draft.aside[_PLACE] = place


def answer(draft: Draft, name: str, text: str) -> bool:
    """Write an answer about the present concept; return whether that changed anything."""
    words = " ".join(text.split())
    if words == text_of(concepts_of(draft)[place_of(draft)], name):
        return False
    concept = draft.concept(place_of(draft))
    if words:
        concept[name] = words
    else:
        concept.pop(name, None)
    return True


def is_empty(concept: Tables) -> bool:
    """Whether nothing was answered that says what it is."""
    return not any(text_of(concept, name) for name in WORDS)


def add(draft: Draft) -> bool:
    """Add a concept behind the others and go to it; an empty one is gone to instead. Whether one was added."""
    concepts = concepts_of(draft)
    empty = next((number for number, concept in enumerate(concepts) if is_empty(concept)), None)
    if empty is None:
        draft.concepts.append({})
    draft.aside[_PLACE] = len(concepts) if empty is None else empty
    return empty is None


def remove(draft: Draft) -> Tables | None:
    """Take the present concept out, with its folders; None if there is nothing to take out."""
    if not draft.concepts:
        return None
    place = place_of(draft)
    concept = draft.concepts.pop(place)
    if concept:
        _removed(draft).append([place, concept])
    draft.aside[_PLACE] = max(0, min(place, len(draft.concepts) - 1))
    return concept


def bring_back(draft: Draft) -> bool:
    """Put the concept that was removed last where it was; whether there was one."""
    removed = _removed(draft)
    if not removed:
        return False
    place, concept = removed.pop()
    if draft.concepts == [{}]:
        draft.concepts.clear()
    place = max(0, min(int(place), len(draft.concepts)))
    draft.concepts.insert(place, concept)
    draft.aside[_PLACE] = place
    return True


def last_removed(draft: Draft) -> Tables | None:
    """Return the concept that would be brought back."""
    removed = _removed(draft)
    return removed[-1][1] if removed else None


def _removed(draft: Draft) -> list[Any]:
    """What was removed: pairs of place and concept; of a draft file that was meddled with, only what is right."""
    kept = draft.aside.get(_REMOVED)
    sound = [
        pair
        for pair in (kept if isinstance(kept, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int) and isinstance(pair[1], dict)
    ]
    draft.aside[_REMOVED] = sound
    return sound
