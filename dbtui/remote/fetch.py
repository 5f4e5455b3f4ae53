"""Bring a run here from another machine: compare, gather beside its place, verify, put in place."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from dbtui.dashboard.state import RunState
from dbtui.dashboard.status import Status
from dbtui.remote.connect import no_connection
from dbtui.remote.follow import RemoteFollower
from dbtui.remote.link import Link
from dbtui.remote.listing import Listing, RemoteFile, read_listing
from dbtui.remote.origin import Origin, read_origin
from dbtui.remote.session import LostError, Session
from dbtui.remote.staging import Staging
from dbtui.remote.target import Target
from dbtui.remote.transfer import Transfer
from trainer_core.errors import ExitCode, UserError
from trainer_core.room import why_no_room
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive
from trainer_core.text import safe_text

_LONGEST_LISTING = 1 << 26
_ROUNDS = 3
"""How often a file that changes while it is read is asked for."""
_FIRST_LINE = 4096
_LISTING = 600.0
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each attempt to connect again that follows one that brought nothing."""


class Meter(Protocol):
    """Shows how far a fetch is."""

    def begin(self, doing: str, total: int) -> None:
        """Begin to count `total` bytes from 0."""

    def add(self, count: int) -> None:
        """Count bytes."""

    def rest(self) -> None:
        """Show nothing for a while: ssh may ask for something."""


@dataclass(frozen=True)
class Fetched:
    """What a fetch did.

    Attributes:
        run: where the run lies here.
        status: how it stood there.
        files: number of files of the snapshot.
        size: their bytes.
        brought: bytes that were brought; the rest was here.
        changed: names of files that changed or went away while they were read, and are not here.
        left_out: names of what is neither file nor folder.
        elsewhere: the run's models that are not in its folder.
        is_verified: whether every file was compared by SHA-256.
    """

    run: RunDirectory
    status: Status
    files: int
    size: int
    brought: int
    changed: tuple[str, ...]
    left_out: tuple[str, ...]
    elsewhere: tuple[str, ...]
    is_verified: bool


class Fetch:
    """One fetch of a target's run to `place`, over as many connections as it takes.

    `connect` makes a connection; `tell` is told, in safe words, what happens; `meter` shows the bytes.
    """

    def __init__(
        self,
        target: Target,
        place: Path,
        connect: Callable[[], Session],
        tell: Callable[[str], None],
        meter: Meter,
    ) -> None:
        self._target = target
        self._place = place
        self._connect = connect
        self._tell = tell
        self._meter = meter
        self._brought = 0

    def fetch(self, *, checkpoints: bool = False) -> Fetched:
        """Bring the run. Raises UserError; what was gathered until then is used by the next fetch."""
        check_place(self._place)
        staging = Staging(self._place)
        try:
            with staging.held():
                return self._with_patience(lambda session: self._fetch(session, staging, checkpoints))
        except OSError as error:
            text = f"{safe_text(self._place)} cannot be written ({error.strerror}): mend that, then fetch again"
            raise UserError(text, ExitCode.DISK) from error

    def _with_patience(self, work: Callable[[Session], Fetched]) -> Fetched:
        """Do the work; begin again, with a new connection, as long as that brings something."""
        failures, was_there = 0, False
        while True:
            before = self._brought
            try:
                with self._connect() as session:
                    was_there = True
                    return work(session)
            except LostError as error:
                self._meter.rest()
                if not was_there:
                    raise no_connection(self._target, error) from error
                failures = failures + 1 if self._brought == before else 1
                if failures > len(_PAUSES):
                    text = (
                        f"the connection to {safe_text(self._target.place)} was lost ({error}): the same command "
                        "goes on where it was"
                    )
                    raise UserError(text, ExitCode.FAILED) from error
                self._tell(f"connection lost ({error}), retrying")
                time.sleep(_PAUSES[failures - 1])

    def _fetch(self, session: Session, staging: Staging, checkpoints: bool) -> Fetched:
        status, state = _look(session)
        listing = _list(session, checkpoints)
        _check_same(session, self._place, listing)
        transfer = Transfer(session, staging, self._meter.add)
        self._meter.begin("comparing", listing.size)
        here = transfer.identical(list(listing.files))
        missing = [file for file in listing.files if file.name not in here]
        _check_room(staging, missing)
        files = {file.name: file for file in listing.files}
        try:
            changed = self._bring(transfer, missing, files, lambda: _list(session, checkpoints))
        finally:
            self._brought += transfer.brought
        for name in with_their_checkpoints(changed, files):
            files.pop(name, None)
        kept = list(files.values())
        staging.finish(kept)
        self._sign(staging, status, transfer.is_verified)
        staging.put_in_place(kept)
        return Fetched(
            run=RunDirectory(self._place.absolute()),
            status=status,
            files=len(kept),
            size=sum(file.size for file in kept),
            brought=self._brought,
            changed=tuple(changed),
            left_out=listing.left_out,
            elsewhere=elsewhere(state, files),
            is_verified=transfer.is_verified,
        )

    def _bring(
        self,
        transfer: Transfer,
        missing: list[RemoteFile],
        files: dict[str, RemoteFile],
        list_again: Callable[[], Listing],
    ) -> list[str]:
        """Bring what is missing, and keep `files` up to date; return the names of what kept changing, or went."""
        gone: list[str] = []
        for _ in range(_ROUNDS):
            self._meter.begin("fetching", sum(file.size for file in missing))
            changed = transfer.bring(missing)
            if not changed:
                return gone
            now = {file.name: file for file in list_again().files}
            gone += [file.name for file in changed if file.name not in now]
            missing = [now[file.name] for file in changed if file.name in now]
            files.update({file.name: file for file in missing})
        return gone + [file.name for file in missing]

    def _sign(self, staging: Staging, status: Status, is_verified: bool) -> None:
        """Write where all this comes from."""
        events = next((path for path in staging.places("events.jsonl") if path.is_file()), None)
        origin = Origin(
            target=safe_text(self._target.text, 1000),
            place=safe_text(self._target.place, 200),
            time=time.time(),
            status=status,
            events_bytes=events.stat().st_size if events else 0,
            is_verified=is_verified,
        )
        origin.write(RunDirectory(staging.folder))


def check_place(place: Path) -> None:
    """Raise UserError unless `place` is free, or holds what was fetched before."""
    if not place.exists():
        return
    run, where = RunDirectory(place.absolute()), safe_text(place)
    if is_alive(run):
        raise UserError(f"{where} is being trained here: name another DEST", ExitCode.LOCKED)
    origin = read_origin(run)
    if origin is None:
        raise UserError(
            f"{where} is there already, and is no copy of a fetched run: name another DEST", ExitCode.CONFIG
        )
    if not origin.is_copy(run):
        raise UserError(f"{where} was trained on here since it was fetched: name another DEST", ExitCode.CONFIG)


def with_their_checkpoints(changed: list[str], files: Iterable[str]) -> set[str]:
    """Return the names, and those of the other files of a checkpoint that one of them belongs to."""
    folders = {tuple(name.split("/")[:2]) for name in changed if name.startswith("checkpoints/")}
    return {*changed, *(name for name in files if tuple(name.split("/")[:2]) in folders)}


def elsewhere(state: RunState, names: Iterable[str]) -> tuple[str, ...]:
    """Return the run's newest models of which `names`, the files of its folder, holds none of that name."""
    there = {part for name in names for part in name.split("/")}
    models = state.ending.outputs if state.ending else ()
    models = models or tuple(each.path for each in state.written if each.kind == "saved")[-1:]
    return tuple(safe_text(path, 300) for path in models if PurePosixPath(path).name not in there)


def _look(session: Session) -> tuple[Status, RunState]:
    """Return how the run stands, and its events so far, folded."""
    link = Link(session)
    link.catch_up()
    follower = RemoteFollower(link)
    follower.poll()
    return follower.status(), follower.state


def _list(session: Session, checkpoints: bool) -> Listing:
    answer = session.ask(f"list {'all' if checkpoints else 'some'}", _LONGEST_LISTING, _LISTING)
    return read_listing(answer.data, session.divider)


def _check_same(session: Session, place: Path, listing: Listing) -> None:
    """Raise UserError if what lies at `place` is another run than the one that was listed."""
    ours = RunDirectory(place)
    for path, most in ((ours.run_toml, _LONGEST_LISTING), (ours.events, _FIRST_LINE)):
        with suppress(FileNotFoundError), path.open("rb") as file:
            begin = file.readline(most) if path == ours.events else file.read(most)
            theirs = session.ask(f"get 0 {len(begin)} ./{path.name}|", len(begin)).data
            if theirs != begin:
                text = f"{safe_text(place)} is a copy of another run: name another DEST, or remove it"
                raise UserError(text, ExitCode.CONFIG)


def _check_room(staging: Staging, missing: list[RemoteFile]) -> None:
    needed = sum(file.size - staging.size_so_far(file) for file in missing)
    if problem := why_no_room(staging.folder, needed):
        place = safe_text(staging.target.parent)
        raise UserError(f"{problem} in {place}: free some, or name another DEST", ExitCode.DISK)
