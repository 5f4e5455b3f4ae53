import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dbtui.dashboard.state import RunState, fold
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive, lock_holder

HERE = Path(__file__).parent
FAKE_TRAINER = [sys.executable, str(HERE / "fake_trainer.py")]
WATCH_FAKE = [sys.executable, str(HERE / "watch_fake.py")]
DBTUI = [sys.executable, "-m", "dbtui"]


def wait_until(condition: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


class Terminal:
    """A program on a terminal of its own, which can be typed to, resized, and closed."""

    def __init__(self, command: list[str], term: str = "xterm-256color", size: tuple[int, int] = (80, 24)) -> None:
        self.master, child = pty.openpty()
        self.output = b""
        self.resize(*size)

        def own_the_terminal() -> None:
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        environment = {**os.environ, "TERM": term}
        for name in ("COLUMNS", "LINES"):  # they would be believed before the terminal is
            environment.pop(name, None)
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, env=environment, preexec_fn=own_the_terminal
        )
        os.close(child)

    @property
    def text(self) -> str:
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.output += data
        return self.output.decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.text, f"the screen says {words!r}")

    def end(self, timeout: float = 20.0) -> int:
        wait_until(lambda: (self.text, self.process.poll())[1] is not None, "the program ends", timeout)
        return self.process.returncode

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            os.close(self.master)

    def is_put_back(self) -> bool:
        """Tell whether the alternate screen was left, the cursor shown, and echo turned on again."""
        text = self.text
        was_left = text.rfind("\x1b[?1049l") > text.rfind("\x1b[?1049h") >= 0
        is_shown = text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
        mode = termios.tcgetattr(self.master)
        return was_left and is_shown and bool(mode[3] & termios.ECHO and mode[3] & termios.ICANON)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """A fresh run; whatever trains it at the end of the test is killed."""
    text = '[[concept]]\nidentifier = "sls"\nclass = "frog"\n'
    created = create_run(tmp_path / "runs", "sls-frog-1", text)
    yield created
    holder = lock_holder(created)
    if holder and is_alive(created):
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(command: list[str], **options) -> Terminal:
        opened.append(Terminal(command, **options))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


@pytest.fixture
def watched(run: RunDirectory) -> Callable[..., list[str]]:
    """The command that launches the fake trainer on the run and watches it, as `dbtui run` does."""
    return lambda *options: [*WATCH_FAKE, str(run.path), *options]


@pytest.fixture
def another(run: RunDirectory) -> Iterator[Callable[..., tuple[RunDirectory, subprocess.Popen[bytes]]]]:
    """Make further runs beside `run` and train them with the fake trainer, nobody watching."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *options: str) -> tuple[RunDirectory, subprocess.Popen[bytes]]:
        made = run if name == run.name else create_run(run.path.parent, name, "")
        with made.console_log.open("ab") as console:
            command = [*FAKE_TRAINER, *options, str(made.path)]
            started.append(subprocess.Popen(command, stdout=console, stderr=console, start_new_session=True))
        wait_until(lambda: state_of(made).step > 0, "the trainer trains")
        return made, started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def trainer(run: RunDirectory, another) -> Callable[..., subprocess.Popen[bytes]]:
    """Start the fake trainer on the run, nobody watching, and wait until it trains."""
    return lambda *options: another(run.name, *options)[1]


@pytest.fixture
def dbtui() -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*DBTUI, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    return call


def state_of(run: RunDirectory) -> RunState:
    return fold(EventReader(run.events).poll())


@pytest.fixture
def state(run: RunDirectory) -> Callable[[], RunState]:
    return lambda: state_of(run)


@pytest.fixture
def wait() -> Callable[..., None]:
    return wait_until
