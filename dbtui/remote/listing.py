"""The files of a run on another machine, as that lists them; what can be no file of a run is refused. Pure."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

FETCHED_JSON = "fetched.json"
_LINE = re.compile(rb"(\d{1,15}) (-?\d{1,15}) \./(.+)")
_STAYS = {"run.lock", FETCHED_JSON}
"""Files of a run that say something of the machine they lie on."""
GROWING = {"events.jsonl", "control.jsonl", "console.log"}
"""Files that are appended to while the run lives; all others appear whole."""
LINES = {"events.jsonl", "control.jsonl"}
_MOST_FILES = 200_000
_DEEPEST = 16
_LONGEST_NAME = 255


@dataclass(frozen=True)
class RemoteFile:
    """A file as it was when it was listed.

    Attributes:
        name: path in the run, parts joined by slashes; undecodable bytes as surrogates.
        size: bytes.
        changed: when it was last written, in seconds since the epoch.
    """

    name: str
    size: int
    changed: int

    @property
    def request(self) -> str:
        """Return how a request names the file."""
        return f"./{self.name}|"


@dataclass(frozen=True)
class Listing:
    """The files of a run, and the names of what is neither file nor folder."""

    files: tuple[RemoteFile, ...]
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def read_listing(data: bytes, divider: bytes) -> Listing:
    """Return what the answer to `list` tells. Raises UserError(FAILED) if it names what no run can hold."""
    front, found, back = data.partition(divider.lstrip(b"\n"))
    if not found:
        raise _odd("it lists no files")
    files = [_file(line) for line in front.split(b"\n") if line]
    if len(files) > _MOST_FILES:
        raise _odd(f"it lists more than {_MOST_FILES} files")
    kept = {file.name: file for file in files if file.name not in _STAYS}
    for name in kept:
        for folder in PurePosixPath(name).parents:
            if str(folder) in kept:
                raise _odd(f'"{safe_text(folder)}" is both file and folder')
    others = tuple(safe_text(line.removeprefix(b"./"), 200) for line in back.split(b"\n") if line)
    return Listing(tuple(kept.values()), others)


def _file(line: bytes) -> RemoteFile:
    found = _LINE.fullmatch(line)
    if not found:
        raise _odd(f'it lists "{safe_text(line, 200)}"')
    name = found[3].decode("utf-8", "surrogateescape")
    parts = name.split("/")
    for part in parts:  # hidden ones are not asked for; so nothing here can be taken for ours, or lead out
        if (
            not part
            or part.startswith(".")
            or "\0" in part
            or len(part.encode("utf-8", "surrogateescape")) > _LONGEST_NAME
        ):
            raise _odd(f'"{safe_text(name, 200)}" can be no file of a run')
    if len(parts) > _DEEPEST:
        raise _odd(f'"{safe_text(name, 200)}" lies too deep')
    return RemoteFile(name, int(found[1]), int(found[2]))


def _odd(what: str) -> UserError:
    return UserError(f"the other side answers oddly: {what}; nothing of it was taken", ExitCode.FAILED)
