"""What the dashboard of a live run takes of a core."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from first_frame import SIZE

from trainer_core.run.directory import RunDirectory, create_numbered_run
from trainer_core.run.events import EventWriter
from trainer_core.run.lock import acquire
from trainer_core.run.process import write_process_record

SETTLING = 4.0
"""Seconds until the modules are imported and the first picture stands."""
_IN_FRONT = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Makes the terminal the program's own, as a shell does: in the background it would print lines, not draw."""
_LEAST_DRAWN = 200
"""Bytes a second that a dashboard on which something changes draws at the least."""


def dashboard_share(folder: Path, config: str, *, past: int, per_second: float, seconds: float) -> float:
    """Return the share of a core that `dbtui attach` takes beside a run that has done `past` steps.

    This process stands for the trainer: it holds the run's lock and writes the events of so many steps a second.
    """
    run = create_numbered_run(folder / "runs", "watched", config)
    lock, events = acquire(run), EventWriter(run)
    try:
        write_process_record(run, None)
        events.emit("phase", name="train", total=1_000_000, epochs=1, steps_per_epoch=1_000_000)
        for step in range(1, past + 1):
            _step(events, step)
            if step % 500 == 0:
                events.flush()
        with _attached(run) as (process, master):
            step, _ = _write_steps(events, master, past, per_second, SETTLING)
            before, began = _cpu_seconds(process.pid), time.monotonic()
            _, drawn = _write_steps(events, master, step, per_second, seconds)
            if drawn < seconds * _LEAST_DRAWN:
                raise RuntimeError(f"the dashboard drew {drawn} bytes in {seconds:g} s")
            return (_cpu_seconds(process.pid) - before) / (time.monotonic() - began)
    finally:
        events.close()
        lock.release()


def _step(events: EventWriter, step: int) -> None:
    loss = 0.1 + (step * 7919 % 100) / 1000
    events.emit("step", step=step, epoch=1, loss=loss, lr=1e-6, images_per_s=4.0, grad_norm=1.0, vram_gb=None)


def _write_steps(
    events: EventWriter, master: int, step: int, per_second: float, seconds: float
) -> tuple[int, int]:
    """Return the last step written, and the bytes that the dashboard drew meanwhile."""
    until, drawn = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        step += 1
        _step(events, step)
        end = time.monotonic() + 1 / per_second
        while (left := end - time.monotonic()) > 0:
            if select.select([master], [], [], left)[0]:
                drawn += len(os.read(master, 1 << 16))
    return step, drawn


@contextmanager
def _attached(run: RunDirectory) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    master, child = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    command = [sys.executable, "-c", _IN_FRONT, "-m", "dbtui", "attach", str(run.path)]
    hidden = {"COLUMNS", "LINES", "NO_COLOR", "CI"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["TERM"] = "xterm-256color"
    process = subprocess.Popen(
        command, stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True
    )
    os.close(child)
    try:
        yield process, master
        if process.poll() is not None:
            raise RuntimeError(f"dbtui attach ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its threads together, to the nanosecond; Linux only."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="utf-8").split()[0]) for thread in threads) / 1e9
