"""Who a process is: pid, start and boot, so that a pid used again is never taken for the trainer."""

import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from trainer_core import __version__
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory
from trainer_core.run.redact import redact_command_line

_LIBRARIES = (
    "dbtui",
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "bitsandbytes",
    "prodigyopt",
    "schedulefree",
    "xformers",
    "safetensors",
    "tokenizers",
    "pillow",
)
_LONGEST_START = 600.0


@dataclass(frozen=True)
class ProcessIdentity:
    """What tells one process from every other. All but `pid` and `host` are opaque, and empty if unknown.

    Containers of one machine share its boot and may share a host name; `pid_ns` says whose pids are meant.
    """

    pid: int
    start: str
    boot_id: str
    host: str
    pid_ns: str = ""

    @classmethod
    def mine(cls) -> "ProcessIdentity":
        """Return the identity of the process that calls."""
        pid = os.getpid()
        return cls(pid, process_start(pid), boot_id(), socket.gethostname(), pid_namespace())

    @classmethod
    def from_json(cls, text: str) -> "ProcessIdentity | None":
        """Return what `to_json` (or process.json) wrote; None for anything else, however it is damaged."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        pid = data.get("pid")
        start, boot, host = (data.get(name) for name in ("start", "boot_id", "host"))
        if type(pid) is not int or not (
            isinstance(start, str) and isinstance(boot, str) and isinstance(host, str)
        ):
            return None
        namespace = data.get("pid_ns")
        return cls(pid, start, boot, host, namespace if isinstance(namespace, str) else "")

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    def is_here(self) -> bool:
        """Tell whether this process would be visible from here: same machine, same boot, same container."""
        if self.boot_id != boot_id() or self.host != socket.gethostname():
            return False
        return "" in (self.pid_ns, here := pid_namespace()) or self.pid_ns == here

    def shares_this_kernel(self) -> bool:
        """Tell whether this process belongs to the running system that the caller belongs to, visible or not."""
        return bool(self.boot_id) and self.boot_id == boot_id()

    def is_running(self) -> bool:
        """Tell whether the process lives, on this machine; a pid that was given to another does not count."""
        return self.is_here() and pid_exists(self.pid) and process_start(self.pid) == self.start


def pid_exists(pid: int) -> bool:
    """Tell whether a process with this pid exists, whoever owns it."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def process_start(pid: int) -> str:
    """Return when a process started, as text to compare: clock ticks since boot on Linux, a date elsewhere."""
    ticks = _start_ticks(pid)
    return str(ticks) if ticks is not None else _ask("ps", "-o", "lstart=", "-p", str(pid))


def boot_id() -> str:
    """Return what identifies this boot of the machine; empty if the system has nothing of the kind."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _ask("sysctl", "-n", "kern.bootsessionuuid")


def pid_namespace() -> str:
    """Return what identifies the container whose pids this process sees (see pid_namespaces(7)); may be empty."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def is_suspended(pid: int) -> bool:
    """Tell whether a process of this machine was stopped by SIGSTOP or its like (stat's field 3, see proc(5))."""
    return _stat_fields(pid)[:1] == [b"T"]


def started_at() -> float:
    """Return when this process started, in seconds since the epoch; never later than now."""
    now, ticks = time.time(), _start_ticks(os.getpid())
    if ticks is None:
        return now
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return now - min(max(age, 0.0), _LONGEST_START)  # a clock that makes no sense must not reach far back


def write_process_record(run: RunDirectory, gpu: Mapping[str, Any] | None = None) -> None:
    """Write process.json: who trains, with which libraries, on which GPU (as the caller found it)."""
    record = {
        **asdict(ProcessIdentity.mine()),
        "started": started_at(),
        "command_line": redact_command_line([sys.executable, *sys.argv]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {"dbtui": __version__, **library_versions()},  # the bundle is not installed
        "gpu": dict(gpu) if gpu else None,
    }
    write_text(run.process_json, json.dumps(record, indent=2, default=str) + "\n")


def library_versions() -> dict[str, str]:
    """Return the installed version of each library that matters, without importing any of them."""
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _start_ticks(pid: int) -> int | None:
    """Return field 22 of /proc/PID/stat (see proc(5))."""
    try:
        return int(_stat_fields(pid)[19])
    except (ValueError, IndexError):
        return None


def _stat_fields(pid: int) -> list[bytes]:
    """Return /proc/PID/stat from field 3 on; the name before it may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _ask(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
