"""Start the processes of one run with torch's own launcher (torchrun), and pass signals on to them.

The launcher ends all processes when one dies. What goes wrong is told by the first process; where that cannot, by
this one.
"""

import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.narrate import NarratedEvents
from trainer_core.ranks.failures import failure_of_another, forget_failures
from trainer_core.ranks.several import Several, refuse_unsuitable
from trainer_core.resume.wishes import Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire
from trainer_core.run.stop_signals import ASKING, INSISTING

_SAVING = 120
"""Seconds that the processes have for saving when one of them died."""
_MEETING = 600
"""Seconds in which all machines must have come to the rendezvous."""


def launch(run: RunDirectory, several: Several, wishes: Wishes, arguments: Sequence[str]) -> int:
    """Train `run` with `several` processes, `python -m trainer_core *arguments RUN` each; return the exit code.

    Raises UserError(CONFIG) where the machine has not so many GPUs, or the run cannot be trained like that.
    """
    count = gpus_here(several)
    several = Several(count, several.nodes, several.node_rank, several.rendezvous)
    refuse_unsuitable(wishes.configuration(run), several)
    if several.node_rank == 0:
        forget_failures(run)
    started = time.time()
    with _Signals() as signals, tempfile.TemporaryDirectory(prefix="dbtui-ranks-") as folder:
        launched = _Launched(several, [*_program(), *arguments, str(run.path)], Path(folder))
        while launched.is_alive():
            launched.join(0.2)
            signals.pass_on()
    code = launched.exit_code()
    if several.node_rank == 0 and not launched.first_spoke and code is not ExitCode.DONE:
        _tell(run, launched.failure, code, started)
    return int(code)


def gpus_here(several: Several) -> int:
    """Return how many processes to start on this machine; without any GPU, so many on its CPU."""
    import torch

    found = torch.cuda.device_count()
    if several.gpus is None and not found:
        raise UserError(
            "--gpus all: this machine has no GPU that torch can use; see dbtui doctor", ExitCode.CONFIG
        )
    if found and several.gpus is not None and several.gpus > found:
        has = "1 GPU" if found == 1 else f"{found} GPUs"
        raise UserError(f"--gpus {several.gpus}: this machine has {has}; use --gpus all", ExitCode.CONFIG)
    if not found:
        sys.stderr.write(f"note: no GPU is found, so {several.gpus} processes share the CPU\n")
    return several.gpus or found


class _Launched(threading.Thread):
    """torch's launcher, in a thread of its own: signals stay with the main thread."""

    def __init__(self, several: Several, command: list[str], folder: Path) -> None:
        super().__init__(name="launcher", daemon=True)
        self.several = several
        self.command = command
        self.folder = folder
        self.failures: dict[int, int] = {}
        self.failure = ""
        self.start()

    @property
    def first_spoke(self) -> bool:
        """Tell whether the first process ended by itself, and so has told why."""
        return self.failures.get(0, -1) >= 0

    def exit_code(self) -> ExitCode:
        """Return how the run ended: as its first process says, or else as the one that failed first."""
        if not self.failures and not self.failure:
            return ExitCode.DONE
        code = self.failures.get(0, next(iter(self.failures.values()), 1))
        return ExitCode(code) if code in set(ExitCode) else ExitCode.FAILED

    def run(self) -> None:
        """Start the processes and wait until all have ended."""
        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import elastic_launch

        try:
            elastic_launch(_launch_config(self.several, self.folder), self.command[0])(*self.command[1:])
        except ChildFailedError as error:
            ordered = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
            self.failures = {rank: failure.exitcode for rank, failure in ordered}
            self.failure = _death_words(*next(iter(self.failures.items())))
        except Exception as error:  # noqa: BLE001 - a rendezvous that nobody came to, say
            self.failure = f"the processes could not be started ({type(error).__name__}: {error})"
            sys.stderr.write(f"error: {self.failure}\n")


def _launch_config(several: Several, folder: Path) -> Any:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    meeting: dict[str, Any] = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    if several.nodes > 1:
        meeting = {
            "rdzv_backend": "static",
            "rdzv_endpoint": several.rendezvous,
            "rdzv_configs": {"rank": several.node_rank, "timeout": _MEETING},
        }
    newer: dict[str, Any] = {"shutdown_timeout": _SAVING}  # torch 2.6 has it not yet
    known = {field.name for field in fields(LaunchConfig)}
    return LaunchConfig(
        min_nodes=several.nodes,
        max_nodes=several.nodes,
        nproc_per_node=several.gpus or 1,
        run_id="dbtui",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder)),
        **meeting,
        **{name: value for name, value in newer.items() if name in known},
    )


class _Signals:
    """Passes the first signal on as SIGUSR1, which never counts as a second one, and later ones as they are."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._has_asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Signals":
        for number in ASKING:
            self._before[number] = signal.signal(number, lambda came, _frame: self._came.append(came))
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def pass_on(self) -> None:
        """Pass on what came; a process that has not started yet gets it next time."""
        while self._came and (children := _children()):
            number = self._came.pop(0)
            if self._has_asked and number not in INSISTING:
                continue
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, number if self._has_asked else signal.SIGUSR1)
            self._has_asked = True


def _children() -> list[int]:
    """Return the processes that this one started."""
    mine = os.getpid()
    try:
        stats = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
        return [pid for pid, parent in stats.items() if parent == mine]
    except OSError:
        told = subprocess.run(["pgrep", "-P", str(mine)], capture_output=True, text=True, check=False).stdout
        return [int(pid) for pid in told.split()]


def _parent(process: Path) -> int:
    """Return field 4 of /proc/PID/stat (see proc(5)); 0 of one that is gone."""
    try:
        return int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _program() -> list[str]:
    """Return how this program was started: as a module, or as the portable file."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        return [sys.executable, "-m", "trainer_core"]
    return [sys.executable, str(Path(sys.argv[0]).absolute())]


def _death_words(rank: int, code: int) -> str:
    if code >= 0:
        return f"process {rank} of this run ended with exit code {code}; the end of console.log says more"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    hint = "; the machine may have run out of memory" if -code == signal.SIGKILL else ""
    return f"process {rank} of this run was ended by {name}{hint}"


def _tell(run: RunDirectory, failure: str, code: ExitCode, started: float) -> None:
    """Write how the run ended, where its first process could not."""
    try:
        lock = acquire(run)
    except UserError:
        return
    try:
        events = NarratedEvents(run)
        known = failure_of_another(run, patience=0)
        text = "\n".join(known.problems) if known else re.sub(r"\s+", " ", failure)
        events.emit("failed", exit_code=int(known.code if known else code), text=text, step=None, outputs=[])
        events.close()
    finally:
        lock.release()
        forget_failures(run)
