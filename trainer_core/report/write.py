"""Writes the report of a run, new or anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer_core.data.images import quiet_pillow
from trainer_core.report.facts import read_facts
from trainer_core.report.page import page
from trainer_core.report.story import Story, fold
from trainer_core.report.words import state_of
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive


def write_report(run: RunDirectory, target: Path | None = None) -> Path:
    """Write the report of `run` to `target` (its report.html if not given) and return where it is.

    Raises:
        OSError: it cannot be written there.
    """
    target = target or run.report
    lives = is_alive(run)
    story = fold(_events(run), Story())
    with quiet_pillow():
        text = page(run, story, read_facts(run), state_of(story, lives))
    write_text(target, text)
    return target


def _events(run: RunDirectory) -> Iterator[dict[str, Any]]:
    reader = EventReader(run.events)
    while events := reader.poll():
        yield from events
