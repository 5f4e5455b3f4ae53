from pathlib import Path

import pytest

from trainer_core.run.mounts import file_system, lock_tells_all

MOUNTS = """\
22 1 0:20 / / rw,relatime - overlay overlay rw
30 22 8:1 / /data rw - ext4 /dev/sda1 rw
31 22 0:30 / /data/shared rw shared:1 master:2 - nfs4 server:/x rw,vers=4.2,local_lock=none
32 22 0:31 / /data/lonely rw - nfs server:/y rw,vers=3,local_lock=all
33 22 0:32 / /workspace\\040two rw - fuse.mfs mfs#x rw
garbage
34 22 0:33 / /late rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "tells"),
    [
        ("/etc", "overlay", True),
        ("/data/runs", "ext4", True),
        ("/data/shared/runs/x", "nfs4", True),
        ("/data/sharedness", "ext4", True),
        ("/data/lonely", "nfs", False),
        ("/workspace two/runs", "fuse.mfs", False),
    ],
)
def test_where_a_lock_tells_everything(path: str, kind: str, tells: bool):
    assert file_system(Path(path), MOUNTS) == kind
    assert lock_tells_all(Path(path), MOUNTS) is tells


def test_what_is_not_known_is_not_trusted():
    assert file_system(Path("/x"), "") == ""
    assert not lock_tells_all(Path("/x"), "")


def test_this_machine(tmp_path: Path):
    assert file_system(tmp_path)
