"""The trainer's own words on its console: one plain line for what happens, steps at most every few seconds."""

import sys
import time
from typing import Any

from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

SECONDS_BETWEEN_STEPS = 10.0


class NarratedEvents(EventWriter):
    """An event writer that also tells each event on stdout, for a console, a log file or a notebook."""

    _next_step_line = 0.0

    def emit(self, kind: str, **fields: Any) -> None:
        """Append the event, and print it where it is worth a line."""
        super().emit(kind, **fields)
        line = self._describe(kind, fields)
        if line:
            sys.stdout.write(safe_text(line, limit=2000) + "\n")
            sys.stdout.flush()

    def _describe(self, kind: str, fields: dict[str, Any]) -> str | None:
        match kind:
            case "phase":
                return f"phase {fields['name']}"
            case "step":
                return self._step_line(fields)
            case "sample" | "checkpoint" | "saved":
                return f"{kind} at step {fields['step']}: {fields['path']}"
            case "uploaded":
                return f"uploaded to {fields['url']}"
            case "warning":
                return f"warning: {fields['text']}"
            case "resumed":
                return f"resumed from step {fields['from_step']}"
            case "finished" | "failed":
                return f"{kind}: {fields['text']}"
            case _:
                return None

    def _step_line(self, fields: dict[str, Any]) -> str | None:
        now = time.monotonic()
        if now < self._next_step_line:
            return None
        self._next_step_line = now + SECONDS_BETWEEN_STEPS
        return (
            f"step {fields['step']}  epoch {fields['epoch']}  loss {fields['loss']:.4f}  lr {fields['lr']:.3g}  "
            f"{fields['images_per_s']:.2f} pictures/s"
        )
