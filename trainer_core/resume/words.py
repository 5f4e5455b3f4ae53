"""The `changed` of an event `resumed`, in words; the event may come from anywhere."""

import json
from typing import Any

from trainer_core.text import safe_text

SHOWN = 4


def resumed_words(step: object, changed: object) -> str:
    """Say that a run was resumed after `step`, and what was not as before."""
    told = f"resumed from step {safe_text(step, 20)}"
    pairs = list(changed.items()) if isinstance(changed, dict) else []
    if not pairs:
        return told
    more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    return f"{told}, changed: {'; '.join(_words(*pair) for pair in pairs[:SHOWN])}{more}"


def shown_value(value: Any) -> str:
    """Return a value in the types of JSON as a person reads it."""
    if value is None:
        return "not set"
    return safe_text(value if isinstance(value, str) else json.dumps(value), 200)


def _words(what: object, values: object) -> str:
    if isinstance(values, list) and len(values) == 2:
        return f"{safe_text(what, 80)} {shown_value(values[0])} -> {shown_value(values[1])}"
    return safe_text(what, 80)
