"""Hands the trainer's events to the logs, each in a thread of its own: no log blocks or stops the training."""

import queue
import threading
import time
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
STOPPED_SECONDS = 3.0
"""How long one that is stopped waits: whoever sent the signal may not wait longer."""
_LOOK_EVERY = 0.05
_THREAD = "log: "


class Log(Protocol):
    """One log. Any of these may raise: the log is given up then, and the training goes on."""

    def write_numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers of one step."""

    def write_picture(self, step: int, name: str, picture: Path, prompt: str) -> None:
        """Log a preview; `name` is the same each time that the same one is drawn."""

    def close(self) -> None:
        """Write what waits and end."""


class LogFollower:
    """Follows the events of `events` and writes them into one log, opened in the thread that writes it.

    What fails becomes one warning event.
    """

    def __init__(self, name: str, opener: Callable[[], Log], run: RunDirectory, events: EventWriter) -> None:
        self.name = name
        self._opener = opener
        self._run = run
        self._events = events
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(MOST_WAITING)
        self._is_behind = False
        self._thread = threading.Thread(target=self._follow, name=_THREAD + name, daemon=True)
        events.watchers.append(self._see)
        self._thread.start()

    def end(self) -> None:
        """Let the log end once what waits is written; later events are not for it."""
        with suppress(ValueError):  # it was given up
            self._events.watchers.remove(self._see)
        with suppress(queue.Full):
            self._waiting.put(None, timeout=1)

    @property
    def is_writing(self) -> bool:
        """Whether the log has not ended yet."""
        return self._thread.is_alive()

    def tell_if_behind(self) -> None:
        """Warn if the log has not ended yet, now that nobody waits for it any more."""
        if self.is_writing:
            self._warn("did not end in time, and may lack its last lines")

    def _see(self, event: dict[str, Any]) -> None:
        if event["kind"] not in {"step", "sample", "validation"}:
            return
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            if not self._is_behind:
                self._is_behind = True
                self._warn("cannot keep up with the training; some steps will be missing in it")

    def _follow(self) -> None:
        log = None
        try:
            log = self._opener()
            while (event := self._waiting.get()) is not None:
                self._write(log, event)
            log.close()
        except Exception as error:  # noqa: BLE001 - no log is worth the training
            with suppress(ValueError):
                self._events.watchers.remove(self._see)
            self._warn(f"is given up ({type(error).__name__}: {safe_text(error, limit=300)})")
            if log is not None:
                with suppress(Exception):
                    log.close()

    def _write(self, log: Log, event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            numbers = {name: float(event[name]) for name in SCALARS if event.get(name) is not None}
            log.write_numbers(event["step"], numbers)
        elif event["kind"] == "validation":
            told = {"validation_loss": event["loss"], "drift": event["drift"]}
            log.write_numbers(event["step"], {name: value for name, value in told.items() if value is not None})
        else:
            picture = self._run.path / event["path"]
            log.write_picture(event["step"], picture.stem.partition("-")[2], picture, event["prompt"])

    def _warn(self, text: str) -> None:
        self._events.emit("warning", code="log", text=f"the log for {self.name} {text}", step=None)


def end_logs(followers: list[LogFollower], is_stopped: Callable[[], bool]) -> None:
    """End all logs and wait for them: `DONE_SECONDS` in all, and `STOPPED_SECONDS` from a stop on."""
    for follower in followers:
        follower.end()
    deadline, is_hurried = time.monotonic() + DONE_SECONDS, False
    while any(follower.is_writing for follower in followers) and time.monotonic() < deadline:
        if not is_hurried and is_stopped():
            deadline, is_hurried = min(deadline, time.monotonic() + STOPPED_SECONDS), True
        time.sleep(_LOOK_EVERY)
    for follower in followers:
        follower.tell_if_behind()


def a_log_hangs() -> bool:
    """Tell whether a log is still busy; its library might then keep the process from ending."""
    return any(thread.name.startswith(_THREAD) for thread in threading.enumerate())
