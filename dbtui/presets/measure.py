"""What a finished run measured: read from its events and its process.json."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from trainer_core.config.tables.about import Measured
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.event_values import number
from trainer_core.run.events import EventReader
from trainer_core.text import safe_text

_FEWEST = 10
"""Steps that a speed is taken from: the first ones of a training are slower than the rest."""
_LONGEST = 80


@dataclass(slots=True)
class Attempt:
    """What the last process that trained a run told of its steps.

    Attributes:
        finished: whether it trained to the end.
        seconds: of each step that followed another directly, without a preview, a save or a pause in between.
        peak_gb: the most memory that its allocator had reserved; None if it trained on no GPU.
    """

    finished: bool = False
    seconds: list[float] = field(default_factory=list)
    peak_gb: float | None = None
    last: tuple[int, float] | None = None


def measured_by(run: RunDirectory) -> Measured:
    """Return the measurement of a run that is done: GPU, peak VRAM, speed and version of its last process.

    Raises:
        UserError: it is not done, trained on no GPU, or was too short to tell.
    """
    attempt, record = last_attempt(EventReader(run.events).poll()), _record(run)
    gpu, version = _text(record, "gpu", "name"), _text(record, "versions", "dbtui")
    if not attempt.finished:
        raise _cannot(run, "is not done: a measurement is of a run that trained to its end")
    if attempt.peak_gb is None or not gpu:
        raise _cannot(run, "trained on no GPU, or its files do not say on which")
    if len(attempt.seconds) < _FEWEST:
        raise _cannot(run, f"has only {len(attempt.seconds)} steps to take a speed from; it takes {_FEWEST}")
    return Measured(
        gpu=safe_text(gpu, _LONGEST),
        peak_vram_gb=max(0.01, round(attempt.peak_gb, 2)),
        it_per_s=float(f"{1 / median(attempt.seconds):.3g}"),
        version=safe_text(version or "unknown", _LONGEST),
    )


def last_attempt(events: Iterable[dict[str, Any]]) -> Attempt:
    """Fold the events of a run; a resume, perhaps on another machine, begins anew."""
    attempt = Attempt()
    for event in events:
        kind = str(event.get("kind"))
        if kind == "phase":
            attempt = Attempt() if event.get("name") == "load" else attempt
            attempt.last = None
        elif kind == "step":
            _on_step(attempt, event)
        elif kind in {"finished", "failed"}:
            attempt.finished = kind == "finished"
    return attempt


def _on_step(attempt: Attempt, event: dict[str, Any]) -> None:
    step, mono, memory = event.get("step"), number(event.get("mono")), number(event.get("vram_gb"))
    if memory is not None and memory > 0:
        attempt.peak_gb = max(memory, attempt.peak_gb or 0.0)
    if not isinstance(step, int) or mono is None:
        attempt.last = None
        return
    if attempt.last and attempt.last[0] == step - 1 and (took := mono - attempt.last[1]) > 0:
        attempt.seconds.append(took)
    attempt.last = (step, mono)


def _record(run: RunDirectory) -> dict[str, Any]:
    try:
        record = json.loads(run.process_json.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _text(record: dict[str, Any], table: str, name: str) -> str:
    inner = record.get(table)
    value = inner.get(name) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else ""


def _cannot(run: RunDirectory, why: str) -> UserError:
    return UserError(f"run {safe_text(run.name, 80)} {why}; leave --measured out", ExitCode.CONFIG)
