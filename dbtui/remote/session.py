"""One ssh connection to a run: requests go out, answers come back, each ended by a mark that nobody can guess."""

import os
import secrets
import select
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import IO, cast

from dbtui.remote.script import launcher, script_for
from dbtui.remote.ssh import ssh_command
from dbtui.remote.target import Target
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_CHUNK = 1 << 16
_GREETING = 1 << 20
"""Most bytes that login scripts may print before the program there begins."""
_LONGEST_STATUS = 8
_NOT_THERE, _NO_ENTRY, _NO_RUN = 3, 4, 5
PATIENCE = 30.0
"""Seconds to wait for an answer, unless something is being computed for it."""


class LostError(Exception):
    """The connection is lost, or could not be made; the text says why and is safe to print."""


class OtherSideError(UserError):
    """The other side answered, but not with what a run there would answer."""


@dataclass(frozen=True)
class Answer:
    """What the other side answered, and the exit status of what it did."""

    data: bytes
    status: int


class Session:
    """A connection to a target's run. Not for several threads, but `close` may be called from any.

    Raises LostError if it cannot be made, OtherSideError(CONFIG) if no run lies there.
    """

    def __init__(
        self, target: Target, *, may_ask: bool = False, tell: Callable[[str], None] | None = None
    ) -> None:
        """Connect. What ssh says meanwhile goes to `tell`, a safe line each."""
        self.target = target
        self._mark = secrets.token_hex(16)
        self._end = b"\n" + self._mark.encode() + b" "
        self.divider = b"\n" + self._mark.encode() + b"\n"
        self._buffer = bytearray()
        self._said: deque[str] = deque(maxlen=5)
        self._tell = tell
        program = script_for(target, self._mark)
        command = ssh_command(target, launcher(len(program)), may_ask=may_ask)
        self._ssh = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=not may_ask,  # to ask, it must be in the terminal's foreground
        )
        self._requests, self._answers = cast(IO[bytes], self._ssh.stdin), cast(IO[bytes], self._ssh.stdout)
        self._listener = threading.Thread(target=self._listen, name="ssh", daemon=True)
        self._listener.start()
        try:
            self._send(program)
            self._receive(_GREETING, None if may_ask else 2 * PATIENCE)
            entered = self._receive(_GREETING, PATIENCE)
            self._tell = None
            self._check_entered(entered)
        except BaseException:
            self.close()
            raise

    def ask(self, request: str, most: int = 1 << 20, patience: float | None = PATIENCE) -> Answer:
        """Send one request and return its answer, which must not have more than `most` bytes.

        `patience` is how long nothing may come; without it the answer is waited for while the connection lives.
        """
        self.send(request)
        return self._receive(most, patience)

    def send(self, request: str) -> None:
        """Send one request; its answer is to be received. A dozen may be on their way at a time."""
        self._send(request.encode("utf-8", "surrogateescape") + b"\n")

    def receive(self, most: int, patience: float) -> Answer:
        """Return the next answer; `patience` is how long nothing may come."""
        return self._receive(most, patience)

    def receive_into(self, sink: Callable[[bytes], object], most: int, patience: float = 4 * PATIENCE) -> int:
        """Hand the next answer's bytes to `sink` as they come, at most `most`; return its status.

        `patience` is how long nothing may come.
        """
        count = 0
        while True:
            end = self._buffer.find(self._end)
            ready = end if end >= 0 else max(0, len(self._buffer) - len(self._end) + 1)
            count += ready
            if count > most:
                raise self._misfit("sends more than it was asked for")
            if ready:
                sink(bytes(self._buffer[:ready]))
                del self._buffer[:ready]
            if end >= 0:
                return self._take_status(patience)
            self._fill(patience)

    def close(self) -> None:
        """End the connection, at once."""
        self._ssh.terminate()  # not kill: where it asks for a password, it turns the terminal's echo on again
        with suppress(OSError):
            self._requests.close()
        try:
            self._ssh.wait(2.0)
        except subprocess.TimeoutExpired:
            self._ssh.kill()
            self._ssh.wait()
        self._listener.join(1.0)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_entered(self, entered: Answer) -> None:
        where = f"{safe_text(self.target.path, 200)} on {safe_text(self.target.place)}"
        if entered.status == _NO_RUN:
            names = [
                safe_text(name, 80) for name in entered.data.decode(errors="surrogateescape").split("\n") if name
            ]
            hint = f"; it holds the runs {', '.join(names)}: name one of them" if names else ""
            raise OtherSideError(f"{where} is not a run: it holds no run.toml{hint}", ExitCode.CONFIG)
        if entered.status in {_NOT_THERE, _NO_ENTRY}:
            why = "there is no such folder" if entered.status == _NOT_THERE else "it may not be read"
            more = (
                ""
                if self.target.path.startswith(("/", "~"))
                else " (a path without / in front begins at the home folder)"
            )
            raise OtherSideError(f"{where} is not a run: {why}{more}", ExitCode.CONFIG)
        if entered.status:
            raise self._misfit(f"answers with {entered.status}")

    def _receive(self, most: int, patience: float | None) -> Answer:
        data = bytearray()
        while True:
            end = self._buffer.find(self._end)
            if end > most or (end < 0 and len(self._buffer) > most + _CHUNK):
                raise self._misfit("sends more than it was asked for")
            if end >= 0:
                data += self._buffer[:end]
                del self._buffer[:end]
                return Answer(bytes(data), self._take_status(PATIENCE))
            self._fill(patience)

    def _take_status(self, patience: float) -> int:
        """Return the status behind the mark that the buffer begins with."""
        begin = len(self._end)
        while (stop := self._buffer.find(b"\n", begin)) < 0:
            if len(self._buffer) > begin + _LONGEST_STATUS:
                raise self._misfit("ends an answer in no way that is known")
            self._fill(patience)
        word = bytes(self._buffer[begin:stop])
        del self._buffer[: stop + 1]
        return int(word) if word.isdigit() else 0 if word == b"hello" else -1

    def _fill(self, patience: float | None) -> None:
        """Wait for more bytes; at most `patience` seconds, if given."""
        if not select.select([self._answers], [], [], patience)[0]:
            raise LostError("no answer for long")
        if not (data := os.read(self._answers.fileno(), _CHUNK)):
            raise LostError(self._why_lost())
        self._buffer += data

    def _send(self, data: bytes) -> None:
        try:
            self._requests.write(data)
            self._requests.flush()
        except OSError as error:
            raise LostError(self._why_lost()) from error

    def _why_lost(self) -> str:
        """Say why ssh ended: in its own words, if it said any."""
        try:
            status: int | None = self._ssh.wait(2.0)
        except subprocess.TimeoutExpired:
            status = None
        self._listener.join(1.0)
        if self._said:
            return self._said[-1].rstrip(".")
        if self._tell and (
            printed := bytes(self._buffer[-300:]).strip()
        ):  # by a server that runs no commands, say
            return safe_text(printed.decode(errors="replace").rpartition("\n")[2], 300)
        if status == 127:
            return "there is no POSIX shell on the other side"
        return "the connection was closed" if status in {None, 255} else f"ssh ended with {status}"

    def _misfit(self, what: str) -> OtherSideError:
        return OtherSideError(f"{safe_text(self.target.place)} {what}", ExitCode.FAILED)

    def _listen(self) -> None:
        """Keep the last lines that ssh says; until the session stands, pass all of them on."""
        stream = cast(IO[bytes], self._ssh.stderr)
        with suppress(OSError, ValueError):
            while line := stream.readline(1000):
                said = safe_text(line.decode(errors="replace").strip(), 300)
                if said and not said.startswith("debug"):
                    self._said.append(said)
                    if tell := self._tell:
                        tell(said)
