"""What is mounted where, and on which kind of file system a folder lies; see proc(5) on mountinfo."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "overlay", "aufs", "tmpfs", "ramfs"}
"""File systems that one running system uses at a time."""
_SHARED_LOCKS = {"nfs", "nfs4"}
"""File systems of several machines whose flock they all see (Linux NFS since 2.6.12, see flock(2))."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount.

    Attributes:
        point: where it is mounted.
        source: which folder of its file system is mounted there, "/" for the whole of it.
        kind: type of the file system, such as "ext4".
        options: options of the file system, separated by commas.
        writable: whether neither mount nor file system is read-only.
    """

    point: str
    source: str
    kind: str
    options: str
    writable: bool


def all_mounts(mountinfo: str | None = None) -> Iterator[Mount]:
    """Yield every mount that this process sees, in the order they were made; none where the system tells nothing.

    `mountinfo` is the text of /proc/self/mountinfo; it is read if not given.
    """
    for line in (_read() if mountinfo is None else mountinfo).splitlines():
        front, _, back = line.partition(" - ")
        fields, after = front.split(), back.split()
        if len(fields) >= 6 and after:
            options = after[2] if len(after) > 2 else ""
            writable = "ro" not in fields[5].split(",") and "ro" not in options.split(",")
            yield Mount(_plain(fields[4]), _plain(fields[3]), after[0], options, writable)


def mount_of(path: Path, mountinfo: str | None = None) -> Mount | None:
    """Return the innermost mount that holds `path`; None if it cannot be known."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    best: Mount | None = None
    for mount in all_mounts(mountinfo):
        if resolved.is_relative_to(mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount  # of several at one point the last one counts
    return best


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """Return the type of the file system that `path` lies on, such as "ext4"; empty if it cannot be known."""
    mount = mount_of(path, mountinfo)
    return mount.kind if mount else ""


def lock_tells_all(path: Path, mountinfo: str | None = None) -> bool:
    """Tell whether a flock that nobody holds here is held by no other machine either."""
    mount = mount_of(path, mountinfo)
    if mount is None:
        return False
    if mount.kind in _SHARED_LOCKS:
        return not any(word in mount.options for word in ("local_lock=all", "local_lock=flock", "nolock"))
    return mount.kind in _LOCAL


def _read() -> str:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _plain(point: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        point = point.replace(code, character)
    return point
