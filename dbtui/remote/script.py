"""What is sent to the other side to run there, and how it is sent so that no shell there can misread a path."""

import re
from importlib import resources

from dbtui.remote.target import Target

_HOME = re.compile(r"~[A-Za-z0-9._-]*(?=/|$)")


def quoted(text: str) -> bytes:
    """Return `text` as one word of a POSIX shell, byte for byte; undecodable bytes are surrogates in it."""
    return b"'" + text.encode("utf-8", "surrogateescape").replace(b"'", b"'\\''") + b"'"


def quoted_path(path: str) -> bytes:
    """Return a path as one word of a POSIX shell that expands a leading `~/` or `~user/` and nothing else."""
    home = _HOME.match(path)
    if not home:
        return quoted(path)
    rest = path[home.end() :]
    return home[0].encode("ascii") + (b"/" + quoted(rest[1:]) if rest else b"")


def script_for(target: Target, mark: str) -> bytes:
    """Return the program for the other side's sh. `mark` ends each of its answers, so it must be random."""
    program = resources.files("dbtui.remote").joinpath("other_side.sh").read_bytes()
    return b"mark=" + quoted(mark) + b"\npath=" + quoted_path(target.path) + b"\n" + program


def launcher(size: int) -> str:
    """Return the command that reads a program of `size` bytes from its stdin, and runs it.

    The login shell, which may be none of POSIX, sees this alone: the path is in the program. dd takes no more.
    """
    return f"exec sh -c 'eval \"$(dd bs=1 count={size} 2>/dev/null)\"'"
