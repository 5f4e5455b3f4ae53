"""Ask a trainer for something and wait for its answer."""

import time
from dataclasses import dataclass
from typing import Literal

from dbtui.dashboard.state import fold
from dbtui.dashboard.words import duration
from dbtui.runs.summary import holder_is_suspended, lives, summarize
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import CommandKind, append_command
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.flock import Standing
from trainer_core.run.lock import look_at_lock
from trainer_core.text import safe_text

_LOOK_EVERY = 0.1
Outcome = Literal["yes", "no", "ended", "silent"]
"""Agreed, refused, the trainer ended before it answered, or it has not answered in time."""


@dataclass(frozen=True)
class Answer:
    """What came of a command; `text` says it in words that are safe to print."""

    run: RunDirectory
    kind: CommandKind
    id: str
    outcome: Outcome
    text: str


def ask(run: RunDirectory, kind: CommandKind, timeout: float) -> Answer:
    """Give the trainer of `run` a command and wait for its answer, at most `timeout` seconds.

    Raises UserError: the run is not live (code CONFIG), or the command cannot be written (code DISK).
    """
    refuse_not_live(run, kind)
    events = EventReader(run.events)
    events.poll()
    command_id = append_command(run, kind)
    deadline = time.monotonic() + timeout
    while True:
        is_there = lives(look_at_lock(run))  # asked before reading, so that its last words are not missed
        if ack := fold(events.poll()).acks.get(command_id):
            text = safe_text(ack.text) or ("done" if ack.ok else "refused")
            return Answer(run, kind, command_id, "yes" if ack.ok else "no", text)
        if not is_there:
            return Answer(run, kind, command_id, "ended", "the trainer ended before it answered")
        if time.monotonic() >= deadline:
            return Answer(run, kind, command_id, "silent", _why_silent(run, kind, timeout))
        time.sleep(_LOOK_EVERY)


def wait_for_end(run: RunDirectory) -> None:
    """Wait until nobody works on the run any more."""
    while lives(look_at_lock(run)):
        time.sleep(_LOOK_EVERY)


def refuse_not_live(run: RunDirectory, kind: CommandKind) -> None:
    """Raise UserError(CONFIG) if there is no trainer that could do it; say how the run stands and what to do."""
    if lives(look_at_lock(run)):
        return
    status = summarize(run).status
    go_on = "" if status == "done" else f"; start it again with: dbtui resume {run.name}"
    how = {"not started": "has not been started"}.get(status, f"is {status}" if status == "done" else status)
    raise UserError(f"{run.name} {how}: there is no trainer to {kind} it{go_on}", ExitCode.CONFIG)


def _why_silent(run: RunDirectory, kind: CommandKind, timeout: float) -> str:
    look = look_at_lock(run)
    said = f"no answer in {duration(timeout)}; the trainer will do it as soon as it can"
    if holder_is_suspended(look) and look.holder:
        return f"{said}: its process is suspended, and goes on with: kill -CONT {look.holder.pid}"
    if look.standing is Standing.ELSEWHERE and look.holder:
        return f"{said}: process {look.holder.pid} on {safe_text(look.holder.host, 60)} cannot be asked from here"
    if kind == "stop" and look.holder:
        return f"{said} (to end it without a save: kill -9 {look.holder.pid})"
    return said
