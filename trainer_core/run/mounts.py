"""Which kind of file system a folder lies on."""

from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "overlay", "aufs", "tmpfs", "ramfs"}
"""File systems that one running system uses at a time."""
_SHARED_LOCKS = {"nfs", "nfs4"}
"""File systems of several machines whose flock they all see (Linux NFS since 2.6.12, see flock(2))."""


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """Return the type of the file system that `path` lies on, such as "ext4"; empty if it cannot be known.

    `mountinfo` is the text of /proc/self/mountinfo (see proc(5)); it is read if not given.
    """
    return _mount_of(path, mountinfo)[0]


def lock_tells_all(path: Path, mountinfo: str | None = None) -> bool:
    """Tell whether a flock that nobody holds here is held by no other machine either."""
    kind, options = _mount_of(path, mountinfo)
    if kind in _SHARED_LOCKS:
        return not any(word in options for word in ("local_lock=all", "local_lock=flock", "nolock"))
    return kind in _LOCAL


def _mount_of(path: Path, mountinfo: str | None) -> tuple[str, str]:
    """Return the type and the options of the innermost mount that holds `path`."""
    try:
        resolved = path.resolve()
        text = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape") if mountinfo is None else mountinfo
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return "", ""
    best, found = "", ("", "")
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        fields, after = front.split(), back.split()
        if len(fields) < 6 or not after:
            continue
        point = _plain(fields[4])
        if resolved.is_relative_to(point) and len(point) >= len(best):
            best, found = point, (after[0], after[2] if len(after) > 2 else "")
    return found


def _plain(point: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        point = point.replace(code, character)
    return point
