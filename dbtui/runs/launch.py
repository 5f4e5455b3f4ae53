"""Start a trainer that outlives the terminal, and know how it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from dbtui.runs.main_process import is_main_process, reap_orphans
from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.several import Several
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive
from trainer_core.text import safe_text

_QUIET = {
    "BITSANDBYTES_NOWELCOME": "1",
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}
_STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
_TAIL = 16_384


@dataclass
class TrainerProcess:
    """A trainer that this process started."""

    run: RunDirectory
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id; it leads a session of its own."""
        return self.process.pid

    def poll(self) -> ExitCode | None:
        """Return its exit code, None while it lives."""
        if is_main_process():
            reap_orphans(self.pid)
        status = self.process.poll()
        return None if status is None else exit_code_of(status)

    def wait(self, timeout: float | None = None) -> ExitCode:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        return exit_code_of(self.process.wait(timeout))

    def wait_until_alive(self, timeout: float = 10.0) -> None:
        """Wait until the trainer holds the run's lock, so that whoever looks next finds it alive, or has ended."""
        deadline = time.monotonic() + timeout
        while self.poll() is None and not is_alive(self.run) and time.monotonic() < deadline:
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that is gone already gets none."""
        self.process.send_signal(number)


def launch(
    run: RunDirectory,
    command: Sequence[str] | None = None,
    *,
    take_over: bool = False,
    wishes: Wishes = NO_WISHES,
    several: Several | None = None,
) -> TrainerProcess:
    """Start the trainer of `run` in a session of its own, its output in console.log.

    `command` replaces `python -m trainer_core`; the run's folder is added as its last word. `take_over` lets it
    take the run from a machine that cannot be asked; the paths in `wishes` must be absolute. `several` are the
    processes that share the work: what is started here launches them.
    """
    options = [*(several.arguments if several else []), *["--take-over"] * take_over, *wishes.arguments]
    words = [*(command or (sys.executable, "-m", "trainer_core")), *options, str(run.path)]
    try:
        log = os.open(run.console_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = f"{safe_text(run.console_log)} cannot be written: {error.strerror}"
        raise UserError(problem, ExitCode.DISK) from error
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=quiet_environment(),
            start_new_session=True,
        )
    finally:
        os.close(log)
    return TrainerProcess(run, process)


def exit_code_of(status: int) -> ExitCode:
    """Map what the system says about an ended process to our exit codes, never to 128 and more."""
    if status < 0:
        return ExitCode.STOPPED if -status in _STOPPING else ExitCode.FAILED
    try:
        return ExitCode(status)
    except ValueError:
        return ExitCode.FAILED


def death_words(status: int) -> str:
    """Say how a process ended that did not say it itself."""
    if status >= 0:
        return f"the trainer ended with exit code {status}"
    name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
    hint = "; the machine may have run out of memory" if -status == signal.SIGKILL else ""
    return f"the trainer was ended by {name}{hint}"


def last_words(run: RunDirectory, lines: int = 12) -> list[str]:
    """Return the last lines of the trainer's output, made safe for a terminal."""
    try:
        with run.console_log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return last_lines(file.read(), lines)
    except OSError:
        return []


def last_lines(output: bytes, lines: int = 12) -> list[str]:
    """Return the last lines of what a program printed, made safe for a terminal."""
    text = output.decode(errors="replace")
    return [safe_text(line, 300) for line in text.splitlines() if line.strip()][-lines:]


def quiet_environment() -> dict[str, str]:
    """Return the environment of a process whose libraries are to keep quiet."""
    return {**_QUIET, **os.environ}
