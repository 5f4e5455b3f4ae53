"""The bytes of a fetch: files are compared by SHA-256 and brought, several requests on their way at a time."""

import re
from collections import deque
from collections.abc import Callable, Iterator

from dbtui.remote.listing import RemoteFile
from dbtui.remote.session import Session
from dbtui.remote.staging import Gathering, Staging, sha256_of

_ON_THEIR_WAY = 8
_SUM = re.compile(rb"\\?([0-9a-f]{64})\b")
_STALLED = 600.0
"""Seconds that no byte of a file may come; a dead line is noticed sooner, by ssh itself."""
_HASHING = 3600.0
"""Seconds that the other side may take to read one file."""

Progress = Callable[[int], object]


class Transfer:
    """Compares and brings files over one session. Raises LostError, and OSError if they cannot be written.

    Attributes:
        is_verified: whether the other side can compute SHA-256; without that, sizes and times are compared.
        brought: bytes that came.
    """

    def __init__(self, session: Session, staging: Staging, progress: Progress) -> None:
        """Bytes that are done with are handed to `progress`."""
        self.is_verified = True
        self.brought = 0
        self._session = session
        self._staging = staging
        self._progress = progress

    def identical(self, files: list[RemoteFile]) -> set[str]:
        """Return the names of the files that are here already, byte for byte."""
        here = [(file, path) for file in files if (path := self._staging.candidate(file))]
        same = set()
        for (file, path), theirs in zip(here, self._sums([file for file, _ in here]), strict=True):
            if self.is_verified:
                is_same = theirs is not None and sha256_of(path) == theirs
            else:
                is_same = int(path.stat().st_mtime) == file.changed
            if is_same:
                same.add(file.name)
                self._progress(file.size)
        return same

    def bring(self, files: list[RemoteFile]) -> list[RemoteFile]:
        """Bring the files, each from where it was left; return those that changed meanwhile, which are dropped."""
        changed, waiting = [], deque(files)
        asked: deque[tuple[RemoteFile, int]] = deque()
        while waiting or asked:
            while waiting and len(asked) < _ON_THEIR_WAY // 2:
                asked.append(self._ask_for(waiting.popleft()))
            file, offset = asked.popleft()
            self._progress(offset)
            with self._staging.open(file, offset) as gathering:
                self._session.receive_into(self._into(gathering), file.size - offset, _STALLED)
            if not self._is_right(file, self._read_sum()):
                self._staging.drop(file)
                changed.append(file)
        return changed

    def _ask_for(self, file: RemoteFile) -> tuple[RemoteFile, int]:
        """Ask for what is missing of a file, and for its sum; return it and how much of it is here."""
        offset = self._staging.size_so_far(file)
        self._session.send(f"get {offset} {file.size - offset} {file.request}")
        self._session.send(f"sum {file.size} - {file.request}")
        return file, offset

    def _into(self, gathering: Gathering) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            gathering.write(data)
            self.brought += len(data)
            self._progress(len(data))

        return take

    def _is_right(self, file: RemoteFile, theirs: str | None) -> bool:
        path = self._staging.staged(file)
        if path.stat().st_size != file.size:
            return False
        return not self.is_verified or sha256_of(path) == theirs

    def _sums(self, files: list[RemoteFile]) -> Iterator[str | None]:
        """Yield the other side's SHA-256 of each file, in order."""
        asked = 0
        for number in range(len(files)):
            while asked < min(len(files), number + _ON_THEIR_WAY):
                self._session.send(f"sum {files[asked].size} - {files[asked].request}")
                asked += 1
            yield self._read_sum()

    def _read_sum(self) -> str | None:
        """Return the next answer's SHA-256; None if there is none."""
        answer = self._session.receive(1 << 12, _HASHING).data.strip()
        if answer == b"none":
            self.is_verified = False
        found = _SUM.match(answer)
        return found[1].decode("ascii") if found else None
