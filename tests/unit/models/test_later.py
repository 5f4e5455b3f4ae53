"""Weights that stay in their files until they are asked for: the same in the end, checked as the others are."""

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.assemble import TensorReader
from trainer_core.models.family import COMPONENTS
from trainer_core.models.load import load_model

CPU = torch.device("cpu")


def load_later(path):
    return load_model(ModelSettings(base=str(path)), later=COMPONENTS)


@pytest.mark.parametrize(
    ("kind", "form"), [("sd1", "safetensors"), ("sd2-v", "safetensors"), ("sd1", "diffusers")]
)
def test_what_is_read_later_is_what_is_read_at_once(load, saved, kind, form):
    at_once, later = load(saved(kind, form)), load_later(saved(kind, form))
    assert set(later.waiting) == set(COMPONENTS)
    for component, dtype in zip(COMPONENTS, (torch.bfloat16, torch.float32, torch.float16), strict=True):
        assert all(value.is_meta for value in later.module(component).parameters())
        module = later.bring(component, CPU, dtype)
        assert module is later.module(component)
        expected = at_once.module(component).to(dtype).state_dict()
        assert module.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in module.state_dict().items())
        assert not module.training
    assert not later.waiting


def test_no_more_than_one_tensor_is_under_way(saved, monkeypatch):
    """What was read lies on the device alone, in its type there: nothing else holds on to it."""
    model, read, alive, most = load_later(saved()), TensorReader.read, [0], [0]

    class Counted:
        def __del__(self):
            alive[0] -= 1

    def counting(self, *arguments):
        tensor = read(self, *arguments)
        tensor.counted = Counted()
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        return tensor

    monkeypatch.setattr(TensorReader, "read", counting)
    model.bring("unet", CPU, torch.bfloat16)
    assert most[0] <= 2  # the one before is let go of when the next one is there
    assert alive[0] == 0


def test_what_is_not_finite_is_refused_when_it_is_read(saved, tmp_path):
    tensors, name = load_file(saved()), "model.diffusion_model.out.2.bias"
    tensors[name][0] = float("nan")
    path = tmp_path / "changed.safetensors"
    save_file(tensors, path)
    model = load_later(path)
    model.bring("vae", CPU, torch.float32)
    with pytest.raises(
        UserError, match=r"changed\.safetensors: .*out\.2\.bias of the U-Net.*not finite"
    ) as caught:
        model.bring("unet", CPU, torch.float32)
    assert caught.value.code == ExitCode.MODEL


def test_a_file_that_changes_meanwhile_is_refused(saved, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(saved().read_bytes())
    model = load_later(path)
    os.utime(path, ns=(0, 0))
    with pytest.raises(UserError, match="was changed or removed while the model was loaded"):
        model.bring("unet", CPU, torch.float32)
    path.unlink()
    with pytest.raises(UserError, match="was changed or removed"):
        model.bring("vae", CPU, torch.float32)


def test_names_and_shapes_are_checked_at_once(saved, tmp_path):
    tensors = load_file(saved())
    del tensors["model.diffusion_model.out.2.bias"]
    path = tmp_path / "changed.safetensors"
    save_file(tensors, path)
    with pytest.raises(UserError, match=r"the U-Net lacks conv_out\.bias"):
        load_later(path)


def test_the_copy_of_a_pickled_file_does_not_last_so_it_is_read_at_once(saved):
    model = load_later(saved("sd1", "ckpt"))
    assert not model.waiting
    assert not any(value.is_meta for value in model.unet.parameters())
