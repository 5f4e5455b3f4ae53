"""How much main memory is free for this process: on the machine, and in the container that it runs in."""

from contextlib import suppress
from pathlib import Path

_CGROUPS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
"""Limit, use and details of a container's memory: version 2 and version 1 of control groups."""


def free_main_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can be taken without swapping or being killed for it; None where nobody says.

    `root` is the root of the file system that proc and sys are mounted in.
    """
    known = [free for free in (_of_machine(root), _of_container(root)) if free is not None]
    return min(known, default=None)


def _of_machine(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_container(root: Path) -> int | None:
    for limit, used, details in _CGROUPS:
        with suppress(OSError, ValueError):
            folder = root / "sys/fs/cgroup"
            most, now = int((folder / limit).read_text()), int((folder / used).read_text())
            return max(0, most - now + _cached(folder / details))
    return None


def _cached(details: Path) -> int:
    """Return the bytes of file cache that the system gives back when they are needed."""
    for line in details.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(" ")
        if name in {"inactive_file", "total_inactive_file"}:
            return int(value)
    return 0
