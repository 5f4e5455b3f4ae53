"""Memory, processors and disks, with the limits of a container where it has some."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dbtui.doctor.finding import Finding, Level
from trainer_core.data.decoded import cache_folder
from trainer_core.disk import existing_folder, gigabytes, why_not_writable
from trainer_core.lasting import fleeting
from trainer_core.run.grace import likely_grace
from trainer_core.text import safe_text

SECTION = "system"
LITTLE_MEMORY = 6 * 2**30
"""A Stable Diffusion in float32 is 4.3 to 5.2 GB while it is loaded."""
LITTLE_DISK = 10 * 10**9
TOO_LITTLE_DISK = 10**9
"""A model is 2 to 5 GB, a checkpoint up to 12: below this not even the smallest save has room."""
_KNOWN_GRACE = ("Kubernetes", "Slurm", "`docker", "a spot node")
"""Beginnings of what is certain; whether a machine is a spot machine cannot be seen from within."""
_GIB = 2**30


def system_findings(runs_dir: Path, root: Path = Path("/")) -> Iterator[Finding]:
    """Processors, memory, and the disks of the runs, this folder and the caches. `root` holds proc/ and sys/."""
    yield _processors(root)
    if memory := _memory(root):
        yield memory
    yield from _disks(runs_dir)
    yield from _lasting(runs_dir, root)
    yield from _grace(root)


def _processors(root: Path) -> Finding:
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = f"{threads} CPU threads"
    quota = _read(root / "sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0].isdecimal() and int(quota[1]):
        allowed = int(quota[0]) / int(quota[1])
        if allowed < threads:
            action = f"set train.cpu_threads and train.workers to about {max(1, round(allowed))}"
            return Finding(SECTION, "CPU", "note", f"{text}, of which this container may use {allowed:g}", action)
    return Finding(SECTION, "CPU", "ok", text)


def _memory(root: Path) -> Finding | None:
    sizes = {}
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if value.strip().endswith("kB"):
            sizes[name] = int(value.split()[0]) * 1024
    if "MemTotal" not in sizes:
        return None
    total, free = sizes["MemTotal"], sizes.get("MemAvailable", sizes["MemTotal"])
    limit = _read(root / "sys/fs/cgroup/memory.max").strip()
    text = f"{total / _GIB:.1f} GB, {free / _GIB:.1f} GB available"
    if limit.isdecimal() and int(limit) < total:
        total = int(limit)
        free = min(free, total - _used_by_container(root / "sys/fs/cgroup"))
        text = f"{total / _GIB:.1f} GB for this container, {free / _GIB:.1f} GB available"
    if free < LITTLE_MEMORY:
        action = "end other programs; a Stable Diffusion takes about 5 GB while it is loaded"
        return Finding(SECTION, "memory", "note", text, action)
    return Finding(SECTION, "memory", "ok", text)


def _used_by_container(cgroup: Path) -> int:
    """Bytes in use but for cached files that the kernel drops when memory is wanted; see cgroups(7)."""
    used = _read(cgroup / "memory.current").strip()
    stat = dict(line.split()[:2] for line in _read(cgroup / "memory.stat").splitlines() if len(line.split()) == 2)
    return max(0, int(used or 0) - int(stat.get("inactive_file", 0)))


def _disks(runs_dir: Path) -> Iterator[Finding]:
    """One line for each file system, named after the first of the folders on it."""
    if problem := why_not_writable(runs_dir):
        yield Finding(SECTION, "runs", "problem", problem, "name another folder with --runs-dir")
    places = [("runs", runs_dir), ("here", Path.cwd()), ("cache", cache_folder()), ("Hub cache", _hub_cache())]
    devices: dict[int, tuple[Path, list[str]]] = {}
    for name, path in places:
        folder = existing_folder(path)
        devices.setdefault(folder.stat().st_dev, (folder, []))[1].append(name)
    for folder, names in devices.values():
        free = shutil.disk_usage(folder).free
        text = f"{gigabytes(free)} free in {safe_text(folder)} (for {', '.join(names)})"
        if free >= LITTLE_DISK:
            yield Finding(SECTION, "disk", "ok", text)
        else:
            level: Level = "problem" if free < TOO_LITTLE_DISK and "runs" in names else "note"
            yield Finding(SECTION, "disk", level, text, "free some space; `dbtui plan` says what a run needs")


def _lasting(runs_dir: Path, root: Path) -> Iterator[Finding]:
    mountinfo = _read(root / "proc/self/mountinfo")
    for lost in fleeting([(runs_dir, "--runs-dir")], mountinfo=mountinfo, root=root):
        yield Finding(SECTION, "runs", "note", lost.fact, lost.action)


def _grace(root: Path) -> Iterator[Finding]:
    """How long a stop leaves, where what this runs under shows; on other machines nobody can know."""
    grace = likely_grace(root=root)
    if grace.whose.startswith(_KNOWN_GRACE):
        text = f"{grace.whose} usually leaves {grace.seconds:g} s between SIGTERM and SIGKILL"
        action = "allow more where you can; save.state_every_minutes protects where it is too short"
        yield Finding(SECTION, "stop", "note", text, action)


def _hub_cache() -> Path:
    """The Hub library's cache folder, by the variables that it documents."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
