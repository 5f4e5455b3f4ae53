"""Whether what a run writes outlives the container or machine that it runs on. No torch."""

import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainer_core.run.mounts import Mount, all_mounts, mount_of
from trainer_core.text import safe_text

_LAYERS = {"overlay", "aufs", "fuse.fuse-overlayfs"}
_MEMORY = {"tmpfs", "ramfs"}
_DISKS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "fuseblk"}
_DISKS |= {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "glusterfs",
    "wekafs",
    "9p",
    "virtiofs",
}
_NOT_DISKS = {"fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.portal"}
"""Of the file systems of programs, which are called fuse or fuse.something, these are none to keep files on."""
_OF_THE_SYSTEM = {
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "proc",
    "run",
    "sbin",
    "snap",
    "sys",
    "usr",
}
"""Container engines mount single files and the driver's libraries there."""
_POD_FOLDER = "kubernetes.io~empty-dir"
"""In the path that Kubernetes gives an emptyDir on the node."""
_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman put into every container."""
_ENOUGH = 5 * 10**9
"""A volume with less room than a model and a checkpoint need is not worth naming."""
_SHOWN = 2
_PATIENCE = 2.0
"""Seconds to wait for volumes to tell their room; a network disk that is gone never answers."""


@dataclass(frozen=True, slots=True)
class Fleeting:
    """Folders whose content is lost: `where` they lie, and the next `action`, in words."""

    folders: tuple[Path, ...]
    where: str
    action: str

    @property
    def fact(self) -> str:
        """What is so, without the action."""
        verb = "are" if len(self.folders) > 1 else "is"
        return f"{' and '.join(map(safe_text, self.folders))} {verb} {self.where}"

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.fact}: {self.action}"


def fleeting(
    places: Iterable[tuple[Path, str]], *, mountinfo: str | None = None, root: Path = Path("/")
) -> list[Fleeting]:
    """Return those of the folders that are lost with this container, pod or machine; usually none.

    Args:
        places: folders, which need not exist yet, each with how another is named, such as "--runs-dir".
        mountinfo: the text of /proc/self/mountinfo; it is read if not given.
        root: where a container's marks lie.
    """
    found: dict[str, dict[Path, str]] = {}
    for folder, how in places:
        if where := _where_lost(mount_of(folder, mountinfo), root):
            found.setdefault(where, {}).setdefault(folder.absolute(), how)
    if not found:
        return []
    advice = _advice(mountinfo, root)
    return [
        Fleeting(tuple(folders), where, advice.replace("{how}", " and ".join(folders.values())))
        for where, folders in found.items()
    ]


def _where_lost(mount: Mount | None, root: Path) -> str:
    """Say where what lies on a mount is lost; empty where it is not, or nobody can know."""
    if mount is None:
        return ""
    if mount.kind in _MEMORY:
        return f"in memory ({mount.kind}), which is lost when the machine stops"
    if _POD_FOLDER in mount.source:
        return "in an emptyDir, which is lost with its pod"
    is_part = mount.point == "/" and mount.source != "/"  # a virtual machine made of an image has the mark too
    is_layer = mount.kind in _LAYERS or (is_part and any((root / mark).exists() for mark in _CONTAINER_MARKS))
    return "in the container's own layer, which is lost with the container" if is_layer else ""


def _advice(mountinfo: str | None, root: Path) -> str:
    """Return what to do, with {how} in the place of the setting that names a folder."""
    if not _where_lost(mount_of(Path("/"), mountinfo), root):
        return "name a folder on a disk with {how}"
    volumes = _volumes(list(all_mounts(mountinfo)), root)
    if not volumes:
        return (
            "no volume is mounted here, so fetch the results before it goes, or mount one and name it with {how}"
        )
    named = " or ".join(f"{safe_text(point)} ({free / 1e9:.0f} GB free)" for point, free in volumes[:_SHOWN])
    return f"name a folder on a volume with {{how}}: {named}"


def _volumes(mounts: Sequence[Mount], root: Path) -> list[tuple[Path, int]]:
    """Return what is mounted to write to, with its free bytes, the roomiest first."""
    points = [Path(each.point) for each in mounts if _may_be_volume(each) and not _where_lost(each, root)]
    roomy: list[tuple[Path, int]] = []

    def look() -> None:
        for point in dict.fromkeys(points):
            with suppress(OSError):
                if point.is_dir() and os.access(point, os.W_OK | os.X_OK):
                    roomy.append((point, shutil.disk_usage(point).free))

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    looker.join(_PATIENCE)
    return sorted((each for each in roomy.copy() if each[1] >= _ENOUGH), key=lambda each: -each[1])


def _may_be_volume(mount: Mount) -> bool:
    top = Path(mount.point).parts[1:2]
    is_fuse = mount.kind.partition(".")[0] == "fuse" and mount.kind not in _NOT_DISKS
    return mount.writable and bool(top) and top[0] not in _OF_THE_SYSTEM and (mount.kind in _DISKS or is_fuse)
