"""Watches what code does with files, processes and the network, and what time and memory it takes."""

import gc
import os
import sys
import sysconfig
import time
import tracemalloc
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode, UserError

LONGEST = 1.0
"""Seconds of processor time that one document may take."""
MOST = 200 * 2**20
"""Bytes that one document may take."""
_CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_READS = {"open", "os.listdir", "os.scandir"}
_ACTS = (
    "os.", "shutil.", "subprocess.", "socket.", "http.", "urllib.", "smtplib.", "tempfile.", "webbrowser.",
    "ctypes.", "pickle.", "exec",
)  # fmt: skip
_HARMLESS = {"os.putenv", "os.unsetenv", "os.fwalk", "os.walk"}
_CODE = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_SOURCES = str(Path(__file__).parents[2])

_seen: list[tuple[str, str]] | None = None
"""What happened since somebody looks; None while nobody does: an audit hook cannot be taken away again."""
_is_hooked = False


@contextmanager
def nothing_outside(*allowed: Path, link_to: Path | None = None, may_look: bool = False) -> Iterator[None]:
    """Fail if, inside, a file outside the folders `allowed` is opened or looked at, or anything is written or run.

    Modules that are imported late are Python's own reading; whether `link_to` is there may be asked,
    and with `may_look` whether anything is.
    """
    global _seen
    _hook()
    folders = [os.path.realpath(folder) for folder in allowed]
    with _stats() as looked_at:
        _seen = []
        try:
            yield
        finally:
            happened, _seen = _seen, None
    bad = [f"{event} {what}" for event, what in happened if not _is_fine(event, what, folders)]
    asked = [] if may_look else looked_at
    bad += [
        f"looked at {path}"
        for path in asked
        if not _is_inside(path, [*folders, *([str(link_to)] if link_to else [])], above=True)
    ]
    assert not bad, bad


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what is done inside takes more than a second or 200 MB.

    The time is this thread's, without the collector of garbage, which goes through all that other tests left.
    """
    tracemalloc.start()
    gc.disable()
    begin = time.thread_time()
    try:
        yield
        took = time.thread_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        gc.enable()
        tracemalloc.stop()
    assert took < LONGEST, f"{took:.2f} s"
    assert peak < MOST, f"{peak / 2**20:.0f} MB"


def check_refusal(error: UserError, code: ExitCode) -> None:
    """Fail unless a refusal has this code and can be shown."""
    assert error.code is code
    check_shown(error.problems)


def check_shown(problems: Sequence[str]) -> None:
    """Fail unless the problems can be printed as they are: short, and nothing in them acts on a terminal."""
    assert problems
    for problem in problems:
        assert problem.strip()
        assert len(problem) < 2000, problem
        bad = [each for each in problem if unicodedata.category(each) in _CONTROLS]
        assert not bad, (bad, problem)


def _hook() -> None:
    global _is_hooked
    if not _is_hooked:
        sys.addaudithook(_note)
        _is_hooked = True


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or not (event in _READS or event.startswith(_ACTS)):
        return
    what = arguments[0] if arguments else ""
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        event = "write"
    if event == "exec":  # of a module's body
        what = getattr(what, "co_filename", "?")
    _seen.append((event, os.fsdecode(what) if isinstance(what, bytes | os.PathLike) else str(what)[:200]))


@contextmanager
def _stats() -> Iterator[list[str]]:
    """Collect the paths that are asked about: for that there is no audit event."""
    found: list[str] = []
    plain = {name: getattr(os, name) for name in ("stat", "lstat")}

    def watching(name: str) -> Any:
        def ask(path: Any, *more: Any, **options: Any) -> Any:
            if not isinstance(path, int):
                found.append(os.fsdecode(path))
            return plain[name](path, *more, **options)

        return ask

    for name in plain:
        setattr(os, name, watching(name))
    try:
        yield found
    finally:
        for name, function in plain.items():
            setattr(os, name, function)


def _is_fine(event: str, what: str, folders: list[str]) -> bool:
    if event in _HARMLESS or what.startswith(_CODE):
        return event != "write"
    if event == "exec" or what.endswith((".py", ".pyc")):
        return event != "write" and what.startswith((_SOURCES, "<"))
    return event in _READS and _is_inside(what, folders)


def _is_inside(path: str, folders: list[str], *, above: bool = False) -> bool:
    """Whether the path lies in one of the folders; or, with `above`, is a folder that one of them lies in."""
    if path.startswith((*_CODE, _SOURCES)):
        return True
    whole = os.path.normpath(Path(path).absolute())
    return any(
        os.path.commonpath([whole, folder]) == folder or (above and os.path.commonpath([whole, folder]) == whole)
        for folder in folders
    )
