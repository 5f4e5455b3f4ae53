"""How long a full-screen program takes until its first complete picture stands, on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SIZE = (120, 40)
_PATIENCE = 60.0
_ESCAPE = re.compile(r"\x1b(\[[0-9;?$<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][AB0]|[=>])")


@dataclass(frozen=True)
class Program:
    """A program, and words of every part of its screen: once all of them were drawn, its picture is complete."""

    name: str
    command: Sequence[str]
    words: Sequence[str]


@dataclass(frozen=True)
class FirstFrame:
    """Seconds from the start until anything was drawn, and until all of it was; bytes sent until then."""

    anything: float
    complete: float
    bytes: int


def first_frame(program: Program) -> FirstFrame:
    """Start the program in an empty home, read its screen until it is complete, and end it.

    Raises:
        RuntimeError: it ended, or drew something else.
    """
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as home:
        master, child = pty.openpty()
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        started = time.perf_counter()
        process = subprocess.Popen(
            program.command,
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=home,
            env=_environment(home),
            start_new_session=True,
        )
        os.close(child)
        try:
            return _read(program, master, started)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(master)


def _read(program: Program, master: int, started: float) -> FirstFrame:
    output, anything = b"", 0.0
    while time.perf_counter() - started < _PATIENCE:
        if not select.select([master], [], [], 0.05)[0]:
            continue
        try:
            output += os.read(master, 1 << 16)
        except OSError:  # it has ended
            break
        now = time.perf_counter() - started
        text = shown_text(output)
        if not anything and text.strip():
            anything = now
        if all(word in text for word in program.words):
            return FirstFrame(anything, now, len(output))
    drawn = " ".join(shown_text(output).split())[-500:]
    raise RuntimeError(f"{program.name} never drew all of {program.words}; the last that it drew: {drawn}")


def shown_text(output: bytes) -> str:
    """Return what was drawn, without what moves the cursor and colours it."""
    return _ESCAPE.sub("", output.decode(errors="replace"))


def _environment(home: str) -> dict[str, str]:
    """An ordinary terminal, and nothing of whoever measures."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    home_only = {"HOME": home, "XDG_CONFIG_HOME": f"{home}/c", "XDG_STATE_HOME": f"{home}/s"}
    return {**kept, **home_only, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def our_app(python: str) -> Program:
    """The application's home, where there are no runs yet."""
    words = ("dbtui", "Runs", "try it first", "doctor", "palette")
    return Program("dbtui", (python, "-m", "dbtui"), words)


def harlequin(executable: Path) -> Program:
    """harlequin, on a database in memory."""
    words = ("Data Catalog", "Query Editor", "Run Query", "Query Results", "Quit")
    return Program("harlequin", (str(executable),), words)
