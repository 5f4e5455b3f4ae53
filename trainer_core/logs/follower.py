"""Hands the trainer's events to the logs, in a thread of its own: no log blocks or stops the training."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

SCALARS = ("loss", "lr", "lr_text_encoder", "grad_norm", "images_per_s", "vram_gb")
"""Numbers of a `step` event that are logged, by their names there."""
MOST_WAITING = 10_000
DONE_SECONDS = 120.0
"""How long a run that is done waits for its logs: the last pictures may still be on their way to a server."""
STOPPED_SECONDS = 15.0
"""How long one that is stopped waits: whoever sent the signal may not wait longer."""


class Log(Protocol):
    """One log. Any of these may raise: the log is given up then, and the training goes on."""

    def write_numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers of one step."""

    def write_picture(self, step: int, name: str, picture: Path, prompt: str) -> None:
        """Log a preview; `name` is the same each time that the same one is drawn."""

    def close(self) -> None:
        """Write what waits and end."""


class LogFollower:
    """Follows the events of `events` and writes them into logs, each opened in the thread that writes it.

    What fails becomes one warning event for each log.
    """

    def __init__(self, run: RunDirectory, events: EventWriter, openers: dict[str, Callable[[], Log]]) -> None:
        self._run = run
        self._events = events
        self._openers = openers
        self._logs: dict[str, Log] = {}
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(MOST_WAITING)
        self._is_behind = False
        self._thread = threading.Thread(target=self._follow, name="logs", daemon=True)
        if openers:
            events.watchers.append(self._see)
            self._thread.start()

    def close(self, timeout: float = DONE_SECONDS) -> None:
        """Write what waits and end the logs; give up on them after `timeout` seconds, with a warning."""
        if self._see not in self._events.watchers:
            return
        self._events.watchers.remove(self._see)
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout)
        self._thread.join(timeout)
        if self._thread.is_alive():
            names = " and ".join(self._logs or self._openers)
            self._warn(f"{names} did not end within {timeout:.0f} s; the log may lack its last lines")

    def _see(self, event: dict[str, Any]) -> None:
        if event["kind"] not in {"step", "sample"}:
            return
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            if not self._is_behind:
                self._is_behind = True
                self._warn("the logs cannot keep up with the training; some steps will be missing in them")

    def _follow(self) -> None:
        for name, opener in self._openers.items():
            self._try(name, lambda name=name, opener=opener: self._logs.update({name: opener()}))  # type: ignore[misc]
        while (event := self._waiting.get()) is not None:
            for name, log in list(self._logs.items()):
                self._try(name, lambda log=log: self._write(log, event))  # type: ignore[misc]
        for name, log in list(self._logs.items()):
            self._try(name, log.close)

    def _write(self, log: Log, event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            numbers = {name: float(event[name]) for name in SCALARS if event.get(name) is not None}
            log.write_numbers(event["step"], numbers)
        else:
            picture = self._run.path / event["path"]
            log.write_picture(event["step"], picture.stem.partition("-")[2], picture, event["prompt"])

    def _try(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - no log is worth the training
            self._warn(f"{name} is given up ({type(error).__name__}: {safe_text(error, limit=300)})")
            failed = self._logs.pop(name, None)
            if failed is not None:
                with suppress(Exception):
                    failed.close()

    def _warn(self, text: str) -> None:
        self._events.emit("warning", code="log", text=text, step=None)
