"""Checkpoints of every format that was ever written can be loaded, and a training goes on from them."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from tests.trainer.checkpoint_formats import make_fixture
from trainer_core import __version__
from trainer_core.errors import ExitCode, UserError
from trainer_core.run import checkpoint_format
from trainer_core.run.checkpoints import newest_valid
from trainer_core.train.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from trainer_core.train.tensor_file import write_tensors
from trainer_core.train.totals import Totals

FOLDER = make_fixture.FOLDER
NOW = f"format-{FORMAT}"
CPU = torch.device("cpu")


@pytest.mark.row(29)
@pytest.mark.parametrize("form", range(1, FORMAT + 1))
def test_a_training_goes_on_from_a_checkpoint_of_every_format(form, tmp_path):
    shutil.copytree(FOLDER / f"format-{form}", tmp_path / "000003")
    path, problems = newest_valid(tmp_path)
    assert problems == []
    found = load_checkpoint(path, CPU)
    assert (found.step, found.facts) == (make_fixture.STEP, make_fixture.FACTS)
    assert found.scaler == {"scale": torch.tensor(1.0), "clean_steps": torch.tensor(0.0)}
    assert list(found.average) == ["matrix", "vector"]
    expected = json.loads((FOLDER / f"format-{form}.json").read_text())
    for weight, numbers in zip(make_fixture.go_on(path), expected, strict=True):
        torch.testing.assert_close(weight, torch.tensor(numbers), rtol=1e-6, atol=1e-7)


def test_there_is_a_fixture_of_todays_format_which_is_what_is_written_today(tmp_path):
    kept = load_checkpoint(FOLDER / NOW, CPU)
    path, _ = save_checkpoint(tmp_path, kept)
    for name in ("weights.safetensors", "optimizer.safetensors"):
        assert (path / name).read_bytes() == (FOLDER / NOW / name).read_bytes(), name
    today, fixture = (json.loads((each / "state.json").read_text()) for each in (path, FOLDER / NOW))
    assert today == {**fixture, "version": __version__}


def test_every_format_has_one_step_to_the_next():
    assert sorted(checkpoint_format._STEPS) == list(range(1, FORMAT))


def test_what_was_not_counted_then_begins_at_nothing():
    assert load_checkpoint(FOLDER / "format-1", CPU).totals == Totals(0.0, 0, 0)


@pytest.mark.row(27)
def test_a_state_that_is_not_complete_is_refused(tmp_path):
    path = tmp_path / "000003"
    shutil.copytree(FOLDER / NOW, path)
    state = json.loads((path / "state.json").read_text())
    for key in ("optimizer", "facts", "totals", "step"):
        (path / "state.json").write_text(json.dumps({name: state[name] for name in state if name != key}))
        with pytest.raises(UserError, match=f"000003 cannot be read.*{key}") as caught:
            load_checkpoint(path, CPU)
        assert caught.value.code is ExitCode.RESUME


def test_tensors_of_every_type_are_written_as_safetensors_reads_them(tmp_path):
    tensors = {
        "half": torch.arange(5, dtype=torch.float16),
        "brain": torch.arange(3, dtype=torch.bfloat16).reshape(1, 3),
        "bytes": torch.arange(7, dtype=torch.uint8),
        "signed": torch.arange(-2, 2, dtype=torch.int8),
        "long": torch.arange(2),
        "truth": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "nothing": torch.zeros(0, 4),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "große": torch.zeros(1),
        "large": torch.arange(6 << 20, dtype=torch.float32),  # more than one chunk
    }
    file = tmp_path / "file.safetensors"
    told = write_tensors(file, tensors)
    found = load_file(file)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name
    import hashlib

    assert told == {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_every_file_of_a_checkpoint_has_the_mode_that_files_have_here(tmp_path):
    path, _ = save_checkpoint(tmp_path, load_checkpoint(FOLDER / NOW, CPU))
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    assert [file.name for file in path.iterdir() if file.stat().st_mode != usual] == []


def test_an_optimizer_that_was_loaded_does_not_live_in_the_file(tmp_path):
    """On the CPU the tensors that are read are the file, which will be pruned, or fail under the training."""
    path, _ = save_checkpoint(tmp_path, load_checkpoint(FOLDER / NOW, CPU))
    found, parameters = load_checkpoint(path, CPU), make_fixture.weights()
    optimizer = make_fixture.optimizer_of(parameters)
    optimizer.load(found.optimizer)
    file = path / "optimizer.safetensors"
    file.write_bytes(bytes(file.stat().st_size))
    moments = [state["exp_avg"] for state in optimizer.state()]
    assert all(moment.abs().sum() > 0 for moment in moments)
