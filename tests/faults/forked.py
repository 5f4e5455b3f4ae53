"""Real trainer processes at the price of a fork: a server that has imported torch already forks each of them.

Starting Python and importing torch takes seconds; a test that kills two hundred trainers has none to give.
A forked trainer is a process of its own, in a session of its own, with signals, lock and exit code as always:
only its imports are inherited. Nothing may be computed in the server, which would start threads that a fork loses.

    with ForkServer() as server:
        trainer = server.start(run)
        trainer.kill()
        status = trainer.wait()  # as subprocess tells it: negative for a signal

`before` is Python that the child runs first: how a fault is brought into a trainer.
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST = 300.0
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2): no trainer outlives a server that was killed."""


class ForkServer:
    """Starts trainers by forking; leave it with `with` or `close`, which end those that still live."""

    def __init__(self) -> None:
        environment = {**os.environ, **_ONE_THREAD, **_QUIET}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def start(self, run: Any, *options: str, before: str = "") -> "ForkedTrainer":
        """Train the run (a RunDirectory), its output in console.log; `options` as `python -m trainer_core` has."""
        arguments = [str(run.path), *options]
        answer = self.ask(do="start", arguments=arguments, console=str(run.console_log), before=before)
        return ForkedTrainer(self, answer["pid"])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request; return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the server and every trainer of its."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class ForkedTrainer:
    """One trainer process."""

    server: ForkServer
    pid: int
    status: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, negative for the signal that ended it; None while it lives."""
        if self.status is None:
            self.status = self.server.ask(do="poll", pid=self.pid)["status"]
        return self.status

    def wait(self, timeout: float = _LONGEST) -> int:
        """Wait for its end; return its exit code."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            assert time.monotonic() < deadline, f"trainer {self.pid} does not end"
            time.sleep(0.01)
        return status

    def send(self, number: int) -> None:
        """Send it a signal. It stays a zombie until `poll` saw its end, so its pid is nobody else's."""
        if self.status is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send(signal.SIGKILL)


_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_QUIET = {
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def _serve() -> None:
    _import_everything()
    children: dict[int, int | None] = {}
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "start":
                pid = os.fork()
                if pid == 0:
                    children.clear()
                    _become_trainer(request)
                children[pid] = None
                answer = {"pid": pid}
            else:
                answer = {"status": _status(children, request["pid"])}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        for pid in [pid for pid, status in children.items() if status is None]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _import_everything() -> None:
    """Import what a training imports, also what it imports late; compute nothing."""
    from trainer_core.models.quiet import quiet_imports

    quiet_imports()
    for module in ("trainer_core.train.run", "bitsandbytes.optim"):
        importlib.import_module(module)
    for package, names in (
        ("diffusers", ("AutoencoderKL", "UNet2DConditionModel")),
        ("transformers", ("CLIPTextModel", "CLIPTextConfig")),
        ("accelerate", ("PartialState",)),
    ):
        for name in names:  # a package imports its class when it is asked for
            getattr(importlib.import_module(package), name)
    assert threading.active_count() == 1, threading.enumerate()


def _become_trainer(request: dict[str, Any]) -> None:
    """Be the trainer that `request` describes; never returns."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    console = os.open(request["console"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(console, 1)
    os.dup2(console, 2)
    os.close(null)
    os.close(console)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - the requests are the server's to read
    sys.argv = ["trainer_core", *request["arguments"]]
    from trainer_core.main import main

    code = 1
    try:
        exec(compile(request["before"], "<before>", "exec"), {"__name__": "before"})  # the test's own words
        main(request["arguments"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _status(children: dict[int, int | None], pid: int) -> int | None:
    if children[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        children[pid] = os.waitstatus_to_exitcode(status) if ended else None
    return children[pid]


if __name__ == "__main__":
    _serve()
