"""Pickled checkpoints. Each hostile one would leave a file behind if any of its code ran."""

import collections
import os
import pickle
import resource
import sys

import pytest
import torch
from safetensors.torch import load_file

from trainer_core.errors import ExitCode, UserError
from trainer_core.models import ckpt
from trainer_core.models.ckpt import extract_ckpt, self_command


class Hostile:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def hostile_file(path, kind, canary):
    content = {"state_dict": {"a": torch.zeros(2), "b": Hostile(canary)}}
    if kind == "zip":
        torch.save(content, path)
    elif kind == "legacy":
        torch.save(content, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(content["state_dict"]["b"], protocol=2 if kind == "raw" else 4))
    return path


@pytest.mark.row(49)
@pytest.mark.parametrize("kind", ["zip", "legacy", "raw", "raw and newer"])
def test_hostile_pickles_are_refused_and_not_run(tmp_path, kind):
    path = hostile_file(tmp_path / "evil.ckpt", kind, tmp_path / "canary")
    with pytest.raises(UserError) as caught:
        extract_ckpt(path, tmp_path / "out.safetensors")
    assert caught.value.code == ExitCode.MODEL
    assert "evil.ckpt" in caught.value.problems[0]
    if kind != "raw and newer":  # whose second instruction is already refused
        assert "more than weights, maybe hostile code (posix.mkdir)" in caught.value.problems[0]
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.row(49)
def test_the_canary_works(tmp_path):
    """The same file does run its code where nothing holds it back."""
    path = hostile_file(tmp_path / "evil.ckpt", "zip", tmp_path / "canary")
    torch.load(path, weights_only=False)
    assert (tmp_path / "canary").is_dir()


@pytest.mark.row(49)
def test_a_hostile_ckpt_is_refused_even_with_torchs_restriction_switched_off(tmp_path, load, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path = hostile_file(tmp_path / "evil.ckpt", "zip", tmp_path / "canary")
    with pytest.raises(UserError) as caught:
        extract_ckpt(path, tmp_path / "out.safetensors")
    assert "more than weights" in str(caught.value)
    with pytest.raises(UserError, match="more than weights") as caught:
        load(path)
    assert caught.value.code == ExitCode.MODEL
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04nonsense", b"\x80\x02nonsense"])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "m.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"m\.ckpt: ") as caught:
        extract_ckpt(path, tmp_path / "out.safetensors")
    assert caught.value.code == ExitCode.MODEL
    assert len(caught.value.problems[0]) < 400


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 5}}, {"epoch": 3}, torch.zeros(2)])
def test_a_file_without_weights(tmp_path, content):
    torch.save(content, tmp_path / "m.ckpt")
    with pytest.raises(UserError, match="no weights in it"):
        extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_only_the_weights_are_taken(tmp_path, zipped):
    shared = torch.arange(12.0).reshape(3, 4)
    state = collections.OrderedDict(
        whole=shared,
        part=shared[1],
        turned=shared.T,
        same=shared,
        count=torch.tensor(3),
        half=torch.ones(2).half(),
    )
    content = {"state_dict": state, "optimizer_states": [{"x": torch.ones(5)}], "epoch": 3, "callbacks": {}}
    torch.save(content, tmp_path / "m.ckpt", _use_new_zipfile_serialization=zipped)
    extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) and found[name].dtype == state[name].dtype for name in state)


def test_leftovers_of_old_trainers_do_not_stand_in_the_way(tmp_path):
    """Lightning's callback class and numpy's scalars, as the first public checkpoints hold them."""
    import types

    import numpy

    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": module.__name__})
    names = ["pytorch_lightning", "pytorch_lightning.callbacks", module.__name__]
    sys.modules.update({name: types.ModuleType(name) for name in names[:2]} | {module.__name__: module})
    try:
        content = {
            "callbacks": {module.ModelCheckpoint: {"best": numpy.float64(0.5)}},
            "state_dict": {"a": torch.ones(3)},
        }
        torch.save(content, tmp_path / "m.ckpt")
    finally:
        for name in names:
            del sys.modules[name]
    extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")
    assert list(load_file(tmp_path / "out.safetensors")) == ["a"]


@pytest.mark.parametrize(("version", "safe"), [("2.9.1+cu128", False), ("2.6.0", False), ("2.10.0", True)])
def test_an_old_torch_reads_no_pickle(tmp_path, monkeypatch, version, safe):
    monkeypatch.setattr("trainer_core.models.pickles.version", lambda name: version)
    if safe:
        torch.save({"a": torch.zeros(2)}, tmp_path / "m.ckpt")
        extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")
        return
    with pytest.raises(UserError, match=r"m\.ckpt: .*CVE-2026-24747.*dbtui convert") as caught:
        extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")
    assert caught.value.code == ExitCode.MODEL


def test_pickled_components_of_a_folder(saved, load, same_weights, tmp_path):
    import shutil

    folder = tmp_path / "folder"
    shutil.copytree(saved("sd1", "diffusers"), folder)
    for part in ("vae",):
        path = folder / part / "diffusion_pytorch_model.safetensors"
        torch.save(load_file(path), path.with_suffix(".bin"))
        path.unlink()
    assert same_weights(load(folder), load(saved("sd1")))


def test_the_command_that_starts_the_reader(monkeypatch):
    assert self_command() == [sys.executable, "-m", "trainer_core"]
    monkeypatch.setattr(sys.modules["__main__"], "DBTRAIN_BUNDLE", "/x/dbtrain.py", raising=False)
    assert self_command() == [sys.executable, "/x/dbtrain.py"]


def test_the_reader_that_dies_is_an_error_not_a_crash(tmp_path, load, monkeypatch):
    (tmp_path / "m.ckpt").write_bytes(b"x")
    monkeypatch.setattr(ckpt, "self_command", lambda: [sys.executable, "-c", "import os; os.abort()"])
    with pytest.raises(UserError, match="ended with code -6") as caught:
        load(tmp_path / "m.ckpt")
    assert caught.value.code == ExitCode.MODEL


def test_no_room_for_the_copy(tmp_path):
    """A limit on the size of files stands in for the full disk."""
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "m.ckpt")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(UserError, match="TMPDIR") as caught:
            extract_ckpt(tmp_path / "m.ckpt", tmp_path / "out.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == ExitCode.DISK
