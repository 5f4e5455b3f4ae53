"""Which checkpoints count, which is the newest, and which may go; also where clocks jump and processes die."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import remove_strays
from trainer_core.run.checkpoints import (
    FILES,
    StoppedCheckingError,
    checkpoints,
    newest_valid,
    prune,
    verified_manifest,
)


def make(folder: Path, step: int, form: int = 1, version: str = "0.1.0") -> Path:
    """Write a small checkpoint."""
    path = folder / f"{step:06d}"
    path.mkdir(parents=True)
    manifest = {}
    for name in FILES:
        content = f"{name} {step}".encode()
        if name == "state.json":
            content = json.dumps({"format": form, "version": version}).encode()
        (path / name).write_bytes(content)
        manifest[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flip_a_bit(checkpoint: Path) -> None:
    file = checkpoint / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.row(33)
def test_the_newest_is_that_of_the_last_step_however_clocks_jump(tmp_path: Path):
    made = [make(tmp_path, step) for step in (99, 100, 1_000_000)]
    hour, ten_years = 3600, 10 * 365 * 86400
    for path, offset in zip(made, (ten_years, 0, -hour), strict=True):
        now = path.stat().st_mtime
        for each in (*path.iterdir(), path):
            os.utime(each, (now + offset, now + offset))
    assert newest_valid(tmp_path) == (made[2], [])
    prune(tmp_path, made[2])
    assert names(tmp_path) == ["000100", "1000000"]


def test_two_valid_ones_stay_however_many_are_damaged(tmp_path: Path):
    for step in (1, 2, 3):
        make(tmp_path, step)
    (tmp_path / "000002" / "weights.safetensors").unlink()
    flipped = make(tmp_path, 9)
    flip_a_bit(flipped)
    prune(tmp_path, tmp_path / "000003", damaged={"000009"})
    assert names(tmp_path) == ["000001", "000003"]


def test_what_is_newer_than_the_one_that_was_resumed_is_left_alone(tmp_path: Path):
    for step in (1, 2, 3, 4):
        make(tmp_path, step)
    prune(tmp_path, tmp_path / "000003")
    assert names(tmp_path) == ["000002", "000003", "000004"]


@pytest.mark.row(26)
@pytest.mark.row(27)
@pytest.mark.parametrize("name", FILES)
def test_no_file_of_a_checkpoint_can_be_missing_unseen(tmp_path: Path, name: str):
    older, newer = make(tmp_path, 1), make(tmp_path, 2)
    (newer / name).unlink()
    manifest = json.loads((newer / "manifest.json").read_text())
    assert newest_valid(tmp_path)[0] == older
    del manifest[name]  # not even where the manifest does not ask for it
    (newer / "manifest.json").write_text(json.dumps(manifest))
    found, (why,) = newest_valid(tmp_path)
    assert found == older
    assert f"000002 is damaged ({name} is not in its manifest)" in why


def test_a_manifest_names_nothing_outside(tmp_path: Path):
    path = make(tmp_path, 1)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["../../x"] = manifest["state.json"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert newest_valid(tmp_path)[0] is None


@pytest.mark.parametrize("content", ["", "[]", "null", '{"weights.safetensors": 1}', "[" * 100_000])
def test_a_manifest_that_is_none_is_damage(tmp_path: Path, content: str):
    path = make(tmp_path, 1)
    (path / "manifest.json").write_text(content)
    found, (why,) = newest_valid(tmp_path)
    assert found is None
    assert "000001 is damaged" in why


@pytest.mark.row(28)
def test_one_of_a_newer_format_is_refused_and_not_passed_over(tmp_path: Path):
    make(tmp_path, 1)
    newer = make(tmp_path, 2, form=99, version="9.1\x1b[2J")
    for damage in (lambda: None, (newer / "manifest.json").unlink):  # its manifest may be of another form too
        damage()
        with pytest.raises(UserError) as caught:
            newest_valid(tmp_path)
        assert caught.value.code is ExitCode.RESUME
        assert r"000002 was written by dbtui 9.1\x1b[2J, which is newer" in str(caught.value)
        assert "upgrade to dbtui 9.1" in str(caught.value)


def test_checking_ends_when_it_shall(tmp_path: Path):
    path = make(tmp_path, 1)
    with pytest.raises(StoppedCheckingError):
        verified_manifest(path, lambda: True)


PRUNE_AND_DIE = """
import os, pathlib, shutil, signal, sys
from trainer_core.run.checkpoints import prune
folder, die_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
calls = 0
def audit(event, arguments):
    global calls
    if event in {"os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}:
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
prune(folder, folder / "000005")
"""


@pytest.mark.row(7)
def test_a_kill_at_any_moment_of_pruning_leaves_two_valid_ones_and_strays_that_go(tmp_path: Path):
    died = 0
    for moment in range(1, 40):
        folder = tmp_path / str(moment)
        for step in (3, 4, 5):
            make(folder, step)
        command = [sys.executable, "-c", PRUNE_AND_DIE, str(folder), str(moment)]
        code = subprocess.run(command, check=False).returncode
        died += code == -signal.SIGKILL
        valid = [path.name for path in checkpoints(folder) if newest_valid(folder)[0] and verified_manifest(path)]
        assert valid[-2:] == ["000004", "000005"]
        remove_strays(folder)
        assert names(folder) == valid
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert died >= 4


def test_a_folder_that_was_moved_aside_for_one_that_never_came_is_put_back(tmp_path: Path):
    path = make(tmp_path, 7)
    half = tmp_path / ".tmp-000007-0123456789ab"
    shutil.copytree(path, half)
    path.rename(tmp_path / ".tmp-000007-old-0123456789ab")
    assert remove_strays(tmp_path) == [half]
    assert newest_valid(tmp_path) == (path, [])
