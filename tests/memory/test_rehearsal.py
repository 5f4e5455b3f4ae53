"""The rehearsal: its count against torch's own, its stand-ins against what they stand for."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn import Parameter

from dbtui.cli.app import run
from dbtui.memory import rehearsed as in_a_process
from trainer_core.config.schema import Config
from trainer_core.config.schema import Optimizer as OptimizerSettings
from trainer_core.errors import UserError
from trainer_core.memory.eight_bit import block_state
from trainer_core.memory.like_cuda import Reads, cuda_autocast
from trainer_core.memory.rehearsal import GRADIENTS, STATE, WEIGHTS, Rehearsal, without_memory
from trainer_core.memory.tracker import OTHER, Tracker
from trainer_core.models.configs import read_configs
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny
from trainer_core.train import streaming
from trainer_core.train.optimizers import make_optimizer


def rehearsal(size: int = 64, **tables: Any) -> Rehearsal:
    config, configs = Config.model_validate({"schema": 1, **tables}), read_configs("tiny-sd1")
    configs["unet"]["layers_per_block"] = configs["text_encoder"]["num_hidden_layers"] = 1  # fewer calls
    return Rehearsal(config, "sd1", "epsilon", configs, (size, size))


def test_the_count_is_that_of_torchs_own_tracker():
    with FakeTensorMode():
        model = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(4)))
        theirs, ours = MemTracker(), Tracker()
        theirs.track_external(model)
        ours.hold(model.parameters(), WEIGHTS)
        with theirs, ours:
            ours.begin()
            model(torch.zeros(32, 64)).square().mean().backward()
        snapshot = theirs.get_tracker_snapshot("peak")[torch.device("cpu")]
    assert sum(ours.peak.values()) == snapshot["Total"] > 0


def test_a_step_has_its_weights_gradients_and_state():
    with without_memory():
        found = rehearsal(optimizer={"type": "adamw"})
        peak = found.step()["update"]
        numbers = sum(each.numel() for each in found.job.parameters.values())
    assert peak.kinds[WEIGHTS] == pytest.approx(4 * numbers, rel=1e-4)  # and the positions, which only count
    assert peak.kinds[GRADIENTS] == 4 * numbers
    assert peak.kinds[STATE] == pytest.approx(8 * numbers, rel=1e-3)  # and a count of steps each


@pytest.mark.slow
def test_accumulating_needs_all_gradients_beside_the_activations():
    """Which is how the table, rehearsed without it, answers for it."""
    tables = {"optimizer": {"type": "adamw"}, "train": {"batch_size": 4}}
    with without_memory():
        once = rehearsal(size=128, **tables)
        passes, state = once.step()["passes"], sum(each.nbytes for each in once._state())
        gradients = sum(each.nbytes for each in once.job.parameters.values())
        tables["train"] |= {"gradient_accumulation": 2}
        twice = rehearsal(size=128, **tables).step()["passes"]
    assert twice.total == pytest.approx(max(passes.total, passes.apart + gradients), rel=0.02)
    assert state > 0


@pytest.mark.slow
def test_state_in_main_memory_is_not_on_the_device():
    with without_memory():
        before = rehearsal(optimizer={"type": "adamw"})
        here, state = before.step()["passes"], sum(each.nbytes for each in before._state())
        there = rehearsal(optimizer={"type": "adamw"}, memory={"stream_state": True}).step()["passes"]
    assert here.kinds[STATE] == state > 0
    assert STATE not in there.kinds
    assert there.total == here.total - state


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "kind"), [("stream_weights", WEIGHTS), ("stream_activations", OTHER)])
def test_the_peak_falls_by_what_is_streamed(setting: str, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "LEAST", 0)
    peaks = []
    for on in (False, True):
        tables = {"method": {"train": "lora"}, "optimizer": {"type": "adamw"}, "memory": {setting: on}}
        config = Config.model_validate({"schema": 1, **tables})
        with without_memory():
            peaks.append(
                Rehearsal(config, "sd1", "epsilon", read_configs("tiny-sd1"), (128, 128)).step()["passes"]
            )
    here, there = peaks
    assert there.kinds[kind] < 0.5 * here.kinds[kind]
    assert there.total < here.total - 0.8 * (here.kinds[kind] - there.kinds[kind])


@pytest.mark.parametrize("numbers", [100, 4095, 4096, 5000])
@pytest.mark.parametrize("kind", ["adamw8bit", "lion", "lion8bit"])
def test_the_state_of_bitsandbytes_is_theirs(kind: str, numbers: int):
    weight = Parameter(torch.zeros(numbers))
    (theirs,) = make_optimizer([[weight]], OptimizerSettings(type=kind), exact_skip=False).state()
    ours = block_state(kind, weight)
    layout = [
        {
            name: (tuple(value.shape), value.dtype)
            for name, value in each.items()
            if isinstance(value, torch.Tensor)
        }
        for each in (theirs, ours)
    ]
    assert layout[0] == layout[1]


def test_paged_state_of_large_weights_is_elsewhere():
    small, large = (block_state("paged_adamw8bit", torch.zeros(count)) for count in (50_000, 200_000))
    assert "state1" in small
    assert set(large) == {"step", "absmax1", "absmax2"}


def test_autocast_computes_norms_in_float32_while_it_lasts():
    norm, numbers = nn.GroupNorm(1, 4), torch.zeros(1, 4, 2, 2, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        with cuda_autocast():
            assert norm(numbers).dtype is torch.float32
        assert norm(numbers).dtype is torch.bfloat16


def test_reads_are_answered_only_where_there_are_no_values():
    with FakeTensorMode(), Reads():
        numbers = torch.randn(2, 2)
        assert not numbers.sum() > 0
        assert numbers.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    with Reads():
        assert torch.zeros(2).tolist() == [0.0, 0.0]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from PIL import Image

    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "train" / "1_sls frog"
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "0.png")
    save_model(build_tiny(), tmp_path / "tiny", format="safetensors", precision=None, metadata={})
    model, runs = tmp_path / "tiny.safetensors", tmp_path / "runs"
    words = ["plan", "sd15-lora-8gb", "--model", str(model), "--data", str(folder.parent), "--runs-dir", str(runs)]
    return [*words, "--set", "dataset.resolution=[64,64]", "--quick"]


def test_plan_says_what_is_needed(planned: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(planned) == 0
    assert "forward and backward" in capsys.readouterr().out


def test_exact_is_for_the_model_itself(planned: list[str], capsys: pytest.CaptureFixture[str]):
    """The table knows full-size models; this one is tiny."""
    assert run([*planned, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["memory"]
    assert run([*planned, "--exact", "--json"]) == 0
    exact = json.loads(capsys.readouterr().out)["memory"]
    assert (table["exact"], exact["exact"]) == (False, True)
    assert 0 < exact["phases"]["passes"] < table["phases"]["passes"] / 10


def test_a_rehearsal_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(in_a_process.sys, "executable", "/bin/false")
    with pytest.raises(UserError, match="leave --exact out"):
        in_a_process.rehearsed(Config(), "sd1", (64, 64))
