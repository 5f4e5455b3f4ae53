"""A run on another machine, looked at once a second in the background, over as many connections as it takes."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

from dbtui.dashboard.state import Event
from dbtui.remote.session import LostError, Session
from dbtui.remote.standing import Machine, Sight
from dbtui.remote.tail import RemoteLines
from dbtui.remote.target import Target
from dbtui.runs.summary import LIVE_STANDINGS
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import CommandKind
from trainer_core.text import safe_text

_LOOK_EVERY = 1.0
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each attempt to connect again; the last stays."""
_HEADERS = 1 << 16
_LONGEST_PAPERS = 3 << 20
_NOTE_STAYS = 20.0

Connect = Callable[[], Session]


class Link:
    """Keeps looking at a run until it is closed. A connection that is lost is made anew, without asking anybody.

    `connect` makes a connection that asks nothing; the first one is given, and may have asked.

    Attributes:
        machine: who the other side is.
        sight: the last look at the run.
        seen: when that was, on this machine's monotonic clock.
        papers: the configuration and process.json, as they are there.
        console: the end of the trainer's output; empty while it lives.
    """

    def __init__(self, session: Session, connect: Connect | None = None) -> None:
        self.target: Target = session.target
        self.lines = RemoteLines()
        self.machine = Machine()
        self.sight = Sight()
        self.seen = time.monotonic()
        self.papers: tuple[bytes, bytes] = b"", b""
        self.console = b""
        self._session: Session | None = session
        self._connect = connect or (lambda: Session(session.target))
        self._lock = threading.Lock()
        self._new: list[Event] = []
        self._lost: tuple[str, float] | None = None
        self._lost_since = 0.0
        self._wanted: deque[tuple[CommandKind, str]] = deque()
        self._note, self._note_until = "", 0.0
        self._wake, self._is_closed = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="link", daemon=True)

    def catch_up(self) -> None:
        """Read all that there is, before anything is shown. Raises LostError, OtherSideError."""
        session = self._session
        if session is None:
            raise LostError("the connection was closed")
        self.machine = Machine.from_answer(session.ask("who").data)
        self._look(session)
        while self.lines.is_behind:
            self._look(session)
        if self.sight.holder and not self.sight.process:
            self._look(session)  # now that it is known about which process to ask

    def start(self) -> None:
        """Go on looking, in the background."""
        self._thread.start()

    def take(self) -> list[Event]:
        """Return the events that came since the last call."""
        with self._lock:
            new, self._new = self._new, []
        return new

    def command(self, kind: CommandKind) -> None:
        """Have a command sent; `trouble` tells if it could not be. Raises UserError if there is no connection."""
        with self._lock:  # or it is wanted just after the connection was given up, and sent over the next one
            if self._lost is not None:
                raise UserError(f"{kind} cannot be asked for: there is no connection", ExitCode.FAILED)
            self._wanted.append((kind, uuid.uuid4().hex[:12]))
        self._wake.set()

    @property
    def trouble(self) -> str:
        """Say why there is no connection, and when the next is tried, or that a command could not be sent."""
        if (lost := self._lost) is None:
            return self._note if time.monotonic() < self._note_until else ""
        reason, until = lost
        seconds = until - time.monotonic()
        return f"connection lost ({reason}), retrying" + (f" in {seconds:.0f} s" if seconds >= 1 else "")

    @property
    def is_lost(self) -> bool:
        """Tell whether there is no connection."""
        return self._lost is not None

    @property
    def lost_for(self) -> float:
        """Seconds since the connection was lost; 0 while there is one."""
        return time.monotonic() - self._lost_since if self._lost is not None else 0.0

    def close(self) -> None:
        """End the connection and the thread."""
        self._is_closed = True
        self._wake.set()
        if session := self._session:
            session.close()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _work(self) -> None:
        attempts = 0
        while not self._is_closed:
            try:
                session = self._session or self._reconnect()
                self._send_wanted(session)
                self._look(session)
                self._lost, attempts = None, 0
            except Exception as error:  # noqa: BLE001 - whatever the other side answers, the viewer goes on
                pause = _PAUSES[min(attempts, len(_PAUSES) - 1)]
                attempts += 1
                self._give_up(safe_text(error, 200), pause)
                self._rest(pause)
            else:
                if not self.lines.is_behind:
                    self._rest(_LOOK_EVERY)

    def _reconnect(self) -> Session:
        session = self._connect()
        try:
            self.machine = Machine.from_answer(session.ask("who").data)  # it may have been started anew
        except BaseException:
            session.close()
            raise
        self._session = session
        if self._is_closed:
            session.close()
        return session

    def _give_up(self, reason: str, pause: float) -> None:
        if self._lost is None:
            self._lost_since = time.monotonic()
        with self._lock:
            self._lost = reason, time.monotonic() + pause
            was_wanted = bool(self._wanted)
            self._wanted.clear()  # it may not be wanted any more when there is a connection again
        if was_wanted:
            self._tell("the connection was lost while asking for something: it may not have arrived")
        session, self._session = self._session, None
        if session:
            session.close()

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_closed and (left := until - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()
            if self._wanted and self._lost is None:
                return

    def _send_wanted(self, session: Session) -> None:
        while self._wanted:
            kind, command_id = self._wanted.popleft()
            try:
                answer = session.ask(f"say {kind} {command_id}")
            except LostError:
                self._tell(f"the connection was lost while asking for {kind}: it may not have arrived")
                raise
            if answer.status:
                self._tell(f"{kind} cannot be asked for: control.jsonl cannot be written on the other side")

    def _tell(self, note: str) -> None:
        self._note, self._note_until = note, time.monotonic() + _NOTE_STAYS

    def _look(self, session: Session) -> None:
        pid = self.sight.holder.pid if self.sight.holder else 0
        answer = session.ask(f"look {self.lines.offset} {self.lines.most} {pid}|", self.lines.most + _HEADERS)
        sight = Sight.from_answer(answer.data)
        new = self.lines.take(sight)
        if not self.papers[0] or any(event.get("kind") == "phase" for event in new):
            self._read_papers(session)
        is_alive = sight.standing(self.machine) in LIVE_STANDINGS
        self.console = b"" if is_alive else self.console or session.ask("log").data
        with self._lock:
            self._new += new
        self.sight, self.seen = sight, time.monotonic()

    def _read_papers(self, session: Session) -> None:
        configuration, _, process = session.ask("facts", _LONGEST_PAPERS).data.partition(session.divider)
        self.papers = configuration, process
