"""Commands to a running trainer: appended by any viewer, read by the trainer between two steps."""

import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.run.lines import LineReader, encode_line
from trainer_core.run.process import started_at
from trainer_core.text import safe_text

CommandKind = Literal["save", "sample", "pause", "unpause", "stop"]
COMMAND_KINDS: tuple[CommandKind, ...] = get_args(CommandKind)


@dataclass(frozen=True)
class Command:
    """One command; the trainer answers with a control_ack event of the same id."""

    id: str
    kind: CommandKind
    args: dict[str, Any] = field(default_factory=dict)


def append_command(run: RunDirectory, kind: CommandKind, **args: Any) -> str:
    """Append a command to the run's control file and return its id. Raises UserError(DISK) if that fails."""
    command_id = uuid.uuid4().hex[:12]
    line = encode_line({"id": command_id, "kind": kind, "args": args, "t": round(time.time(), 3)})
    try:
        descriptor = os.open(run.control, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, _after_torn_line(descriptor) + line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{safe_text(run.control)} cannot be written: {error.strerror}", ExitCode.DISK) from error
    if written < len(line):
        raise UserError(f"{safe_text(run.control)} cannot be written: the disk is full", ExitCode.DISK)
    return command_id


class ControlReader:
    """The trainer's side: gives each new command once. Cheap enough to poll at every step (one stat)."""

    def __init__(self, run: RunDirectory, started: float | None = None) -> None:
        """Ignore commands older than `started` (seconds since the epoch; this process's start by default).

        Only what is in the file by now can be older; clocks do not matter to what is appended from now on.
        """
        self._path = run.control
        self._lines = LineReader(run.control)
        self._size = 0
        self._seen: set[str] = set()
        begin = started_at() if started is None else started
        self._waiting = [each for record in self._lines.poll() if (each := self._accept(record, begin))]

    def poll(self) -> list[Command]:
        """Return the commands that came since the last call, oldest first; kinds not known are passed over."""
        waiting, self._waiting = self._waiting, []
        try:
            size = self._path.stat().st_size
        except OSError:
            return waiting
        if size == self._size:
            return waiting
        self._size = size
        return waiting + [command for record in self._lines.poll() if (command := self._accept(record))]

    def _accept(self, record: dict[str, Any], begin: float = float("-inf")) -> Command | None:
        command_id, kind, args, when = (record.get(name) for name in ("id", "kind", "args", "t"))
        if not isinstance(command_id, str) or kind not in COMMAND_KINDS or command_id in self._seen:
            return None
        if not isinstance(when, int | float) or when < begin:
            return None
        self._seen.add(command_id)
        return Command(command_id, cast("CommandKind", kind), args if isinstance(args, dict) else {})


def acknowledge(events: EventWriter, command: Command, ok: bool, text: str) -> None:
    """Answer a command: whether it is or will be done, and in a few words what, or why not."""
    events.emit("control_ack", id=command.id, command=command.kind, ok=ok, text=text)


def _after_torn_line(descriptor: int) -> bytes:
    """Return the newline that a writer that died in the middle of its line left out."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
