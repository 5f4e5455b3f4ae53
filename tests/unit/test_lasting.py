"""What is lost with a container: told where it is so, with a place that lasts, never on an ordinary machine."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from trainer_core import lasting
from trainer_core.lasting import fleeting
from trainer_core.run.mounts import all_mounts, file_system, mount_of

OVERLAY = "22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w\n"
ENGINE = """\
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /sys ro - sysfs sysfs ro
25 22 0:23 / /dev rw - tmpfs tmpfs rw
26 25 0:24 / /dev/shm rw - tmpfs shm rw
27 22 8:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw
28 22 8:1 /usr/bin/nvidia-smi /usr/bin/nvidia-smi ro - ext4 /dev/sda1 rw
29 22 8:1 / /run/nvidia-persistenced rw - ext4 /dev/sda1 rw
"""
"""What Docker with NVIDIA's runtime mounts into every container."""
LAPTOP = """\
22 1 8:2 / / rw,relatime - ext4 /dev/sda2 rw
23 22 0:21 / /proc rw - proc proc rw
25 22 0:23 / /dev rw - devtmpfs devtmpfs rw
26 25 0:24 / /dev/shm rw - tmpfs tmpfs rw
27 22 0:25 / /run rw - tmpfs tmpfs rw
28 22 8:3 / /home rw - btrfs /dev/sda3 rw
29 22 0:26 / /mnt/nas rw - nfs4 nas:/x rw,vers=4.2
30 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
31 22 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
"""


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for a mounted volume; the disk of the tests may be small."""
    monkeypatch.setattr(lasting, "_ENOUGH", 0)
    folder = tmp_path / "work space"
    folder.mkdir()
    return folder


def mounted(folder: Path, kind: str = "ext4", source: str = "/", mode: str = "rw") -> str:
    point = str(folder).replace(" ", r"\040")
    return f"40 22 8:16 {source} {point} {mode},relatime - {kind} /dev/sdb {mode}\n"


def only(mountinfo: str, folder: str | Path, root: Path = Path("/nowhere")) -> str:
    (found,) = fleeting([(Path(folder), "--runs-dir")], mountinfo=mountinfo, root=root)
    return found.sentence


def nothing(mountinfo: str, folder: str | Path, root: Path = Path("/nowhere")) -> bool:
    return fleeting([(Path(folder), "--runs-dir")], mountinfo=mountinfo, root=root) == []


@pytest.mark.parametrize("folder", ["/home/me/runs", "/srv/runs", "/mnt/nas/runs", "/var/lib/docker/runs"])
def test_an_ordinary_machine_is_not_bothered(folder: str):
    assert nothing(LAPTOP, folder)


def test_where_the_system_tells_nothing_nothing_is_claimed():
    assert nothing("", "/runs")
    assert nothing("nonsense - - -\n1 2 3\n", "/runs")


def test_a_containers_layer_without_a_volume():
    text = only(OVERLAY + ENGINE, "/root/runs")
    assert text.startswith("/root/runs is in the container's own layer, which is lost with the container: ")
    assert "no volume is mounted" in text
    assert "--runs-dir" in text


@pytest.mark.parametrize("kind", ["ext4", "xfs", "nfs4", "fuse", "fuse.juicefs", "ceph", "virtiofs"])
def test_a_volume_is_named_with_its_room(volume: Path, kind: str):
    text = only(OVERLAY + ENGINE + mounted(volume, kind), "/root/runs")
    assert f"name a folder on a volume with --runs-dir: {volume} (" in text
    assert "GB free" in text
    assert nothing(OVERLAY + ENGINE + mounted(volume, kind), volume / "runs")


def test_what_is_no_volume_is_not_named(volume: Path, tmp_path: Path):
    lines = [
        mounted(volume, mode="ro"),
        mounted(volume, "tmpfs"),
        mounted(volume, "fuse.lxcfs"),
        mounted(tmp_path / "gone"),
        mounted(volume, source="/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/tmp"),
    ]
    for line in lines:
        assert "no volume is mounted" in only(OVERLAY + ENGINE + line, "/root/runs")


def test_an_empty_dir_of_kubernetes_is_lost_with_its_pod(volume: Path):
    source = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/tmp"
    assert "lost with its pod" in only(LAPTOP + mounted(volume, source=source), volume / "runs")


def test_memory_is_lost_when_the_machine_stops():
    text = only(LAPTOP, "/dev/shm/runs")
    assert text == (
        "/dev/shm/runs is in memory (tmpfs), which is lost when the machine stops: name a folder on a disk with "
        "--runs-dir"
    )


def test_a_container_whose_root_is_an_ordinary_file_system(tmp_path: Path):
    """As with Docker on btrfs: the mark that Docker leaves tells, and that the root is a part of a file system."""
    inside = LAPTOP.replace("8:2 / /", "8:2 /var/lib/docker/btrfs/subvolumes/x /", 1)
    assert inside != LAPTOP
    assert nothing(inside, "/srv/runs", tmp_path)
    (tmp_path / ".dockerenv").touch()
    assert "lost with the container" in only(inside, "/srv/runs", tmp_path)
    assert nothing(inside, "/home/me/runs", tmp_path)
    assert nothing(LAPTOP, "/srv/runs", tmp_path), "a virtual machine made of an image"


def test_runs_and_models_in_one_place_are_one_line(volume: Path):
    places = [(Path("/root/runs"), "--runs-dir"), (Path("/root/models"), "save.output_dir")]
    (found,) = fleeting(places, mountinfo=OVERLAY + ENGINE, root=Path("/nowhere"))
    assert found.sentence.startswith("/root/runs and /root/models are in the container's own layer")
    assert "--runs-dir and save.output_dir" in found.sentence
    places[0] = (volume / "runs", "--runs-dir")
    (found,) = fleeting(places, mountinfo=OVERLAY + ENGINE + mounted(volume), root=Path("/nowhere"))
    assert found.folders == (Path("/root/models"),)


def test_a_disk_that_never_answers_holds_nobody(volume: Path, monkeypatch: pytest.MonkeyPatch):
    ended = threading.Event()

    def hang(path: Path) -> None:
        ended.wait(30)
        raise OSError

    monkeypatch.setattr(lasting, "_PATIENCE", 0.05)
    monkeypatch.setattr(lasting.shutil, "disk_usage", hang)
    assert "no volume is mounted" in only(OVERLAY + mounted(volume), "/root/runs")
    ended.set()


def test_names_cannot_act_on_a_terminal(volume: Path):
    hostile = volume / "a\x1b[31mb{how}"
    hostile.mkdir()
    line = f"40 22 8:16 / {str(hostile).replace(' ', chr(92) + '040')} rw - ext4 /dev/sdb rw\n"
    text = only(OVERLAY + line, "/root/runs")
    assert "\x1b" not in text
    assert "{how}" not in text or "--runs-dir" in text


def test_this_machines_own_mounts_are_understood(tmp_path: Path):
    assert any(mount.point == "/proc" and mount.kind == "proc" for mount in all_mounts())
    assert file_system(Path("/proc/self")) == "proc"


def test_a_real_overlay(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    lower, disk, merged = (tmp_path / name for name in ("lower", "disk", "merged"))
    for folder in (lower, disk, merged):
        folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (disk / "upper").mkdir()
        (disk / "work").mkdir()
        options = f"lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work"
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=False)
        if done.returncode:
            pytest.skip("an overlay cannot be mounted here")
        try:
            mount = mount_of(merged / "runs")
            assert mount is not None
            assert (mount.kind, mount.writable) == ("overlay", True)
            (found,) = fleeting([(merged / "runs", "--runs-dir")])
            assert "lost with the container" in found.where
        finally:
            subprocess.run(["umount", "--lazy", merged], check=True)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
