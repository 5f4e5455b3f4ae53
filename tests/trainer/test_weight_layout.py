"""Convolutions whose weights lie in channels_last: the same training, and the same files."""

import pytest
import torch

from trainer_core.config.schema import Config
from trainer_core.train import trained
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.precision import Precision
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.weight_layout import layout_for

SLOW = pytest.mark.slow
LAST, USUAL = torch.channels_last, torch.contiguous_format
BF16 = {"mixed_precision": "bf16"}
GPU = torch.device("cuda")


def layout(device: torch.device = GPU, memory: dict | None = None, **tables) -> torch.memory_format:
    config = Config.model_validate({"schema": 1, "memory": memory or {}, **tables})
    return layout_for(config, device, Precision.asked_for(config.memory, frozen_base=False))


def test_tensor_cores_get_their_layout_but_not_weights_that_bitsandbytes_trains():
    assert layout(memory=BF16, optimizer={"type": "adamw"}) is LAST
    assert layout(memory=BF16, method={"train": "lora"}) is LAST
    assert layout(memory=BF16) is USUAL  # 8-bit AdamW
    assert layout(optimizer={"type": "adamw"}) is USUAL  # float32
    assert layout(torch.device("cpu"), memory=BF16, optimizer={"type": "adamw"}) is USUAL


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"optimizer": {"type": "adamw"}}, id="adamw"),
        pytest.param({"optimizer": {"type": "adafactor"}, "ema": {"enable": True}}, id="adafactor", marks=SLOW),
        pytest.param(
            {"optimizer": {"type": "adamw"}, "memory": {**BF16, "full_bf16": True}}, id="full_bf16", marks=SLOW
        ),
        pytest.param(
            {"method": {"train": "lora"}, "network": {"rank": 4, "conv_rank": 4}, "memory": {"base_dtype": "fp8"}},
            id="lora",
            marks=SLOW,
        ),
    ],
)
def test_a_state_goes_on_in_either_layout(tables, make_job, run_job, tmp_path, monkeypatch):
    def job_in(wanted):
        monkeypatch.setattr(trained, "layout_for", lambda *_: wanted)
        return make_job(train={"max_steps": 2, "workers": 1}, **tables)

    usual, last, resumed = job_in(USUAL), job_in(LAST), job_in(USUAL)
    kernels = [module.weight for module in last.model.unet.modules() if isinstance(module, torch.nn.Conv2d)]
    assert any(not kernel.is_contiguous() and kernel.is_contiguous(memory_format=LAST) for kernel in kernels)
    expected = [report.loss for report in run_job(usual)]
    seen = [report.loss for report in run_job(last, 1)]
    save_checkpoint(tmp_path, checkpoint_of(last))
    assert restore(resumed, newest_valid(tmp_path)[0]) == []
    seen += [report.loss for report in run_job(resumed)]
    is_rounded = "full_bf16" in tables.get("memory", {})  # at random, in the order in which the numbers lie
    assert seen == pytest.approx(expected, rel=2e-2 if is_rounded else 2e-3)
