"""The trainer's own words on its console: one plain line for what happens, steps at most every few seconds."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from trainer_core.resume.words import resumed_words
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

SECONDS_BETWEEN_STEPS = 10.0


class NarratedEvents(EventWriter):
    """An event writer that also tells each event on stdout, for a console, a log file or a notebook."""

    _next_step_line = 0.0

    def emit(self, kind: str, **fields: Any) -> None:
        """Append the event, and print it where it is worth a line."""
        super().emit(kind, **fields)
        if kind == "step" and not self._is_time_for_a_step():
            return
        if line := narration(kind, fields):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def _is_time_for_a_step(self) -> bool:
        now = time.monotonic()
        if now < self._next_step_line:
            return False
        self._next_step_line = now + SECONDS_BETWEEN_STEPS
        return True


def narration(kind: str, fields: Mapping[str, Any]) -> str | None:
    """Return the line for an event, safe to print; None for one that is worth none.

    Raises KeyError or ValueError for an event without the fields of its kind.
    """
    line = _describe(kind, fields)
    return safe_text(line, limit=2000) if line else None


def _describe(kind: str, fields: Mapping[str, Any]) -> str | None:
    match kind:
        case "phase":
            return f"phase {fields['name']}"
        case "step":
            return (
                f"step {fields['step']}  epoch {fields['epoch']}  loss {fields['loss']:.4f}  "
                f"lr {fields['lr']:.3g}  {fields['images_per_s']:.2f} pictures/s"
            )
        case "sample" | "checkpoint" | "saved":
            return f"{kind} at step {fields['step']}: {fields['path']}"
        case "validation":
            return f"validation at step {fields['step']}: {validation_words(fields)}"
        case "uploaded":
            return uploaded_words(fields)
        case "hook":
            return str(fields["text"])
        case "warning":
            return f"warning: {fields['text']}"
        case "resumed":
            return resumed_words(fields["from_step"], fields.get("changed"))
        case "finished" | "failed":
            return f"{kind}: {fields['text']}"
        case _:
            return None


def validation_words(fields: Mapping[str, Any]) -> str:
    """Say what was measured: "loss 0.1234, drift 2.1%"; numbers that are not there are left out."""
    loss, drift = fields.get("loss"), fields.get("drift")
    parts = [f"loss {loss:.4f}"] if isinstance(loss, int | float) else []
    return ", ".join([*parts, f"drift {drift:.1%}"] if isinstance(drift, int | float) else parts)


def uploaded_words(fields: Mapping[str, Any]) -> str:
    """Say where a result was uploaded, and whether what arrived was compared."""
    if url := fields.get("url"):
        return f"uploaded to {url}"
    return "uploaded by the upload command" + ("" if fields.get("verified") else ", not verified")
