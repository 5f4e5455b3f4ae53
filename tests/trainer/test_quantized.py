"""A frozen model in 8 bits: exact arithmetic with the coarser weights, kept once, never in what is saved."""

from collections import Counter

import pytest
import torch
from safetensors import safe_open
from torch import nn

from trainer_core.config.schema import Prompt
from trainer_core.models.quantized import LARGEST, QuantizedConv2d, QuantizedLinear, quantize, to_8_bits
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.passes import Passes
from trainer_core.train.preview import draw
from trainer_core.train.result import save_result
from trainer_core.train.resume import checkpoint_of, restore

LAYERS = {
    "linear": (lambda: nn.Linear(24, 7), (3, 5, 24)),
    "no bias": (lambda: nn.Linear(24, 7, bias=False), (3, 24)),
    "convolution": (lambda: nn.Conv2d(6, 8, 3, stride=2, padding=1), (2, 6, 9, 9)),
    "groups": (lambda: nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2, bias=False), (2, 6, 8, 8)),
}
LORA = {
    "method": {"train": "lora"},
    "network": {"rank": 4},
    "train": {"max_steps": 2, "workers": 1},
    "optimizer": {"type": "adamw", "learning_rate": 1e-2},
}


@pytest.mark.parametrize("kind", LARGEST)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_computes_exactly_with_the_weight_it_keeps(layer, kind):
    make, shape = LAYERS[layer]
    torch.manual_seed(0)
    exact = nn.Sequential(make()).requires_grad_(False)
    kept = nn.Sequential(make()).requires_grad_(False)
    kept.load_state_dict(exact.state_dict())
    quantize(kept, kind, torch.float32)
    assert isinstance(kept[0], QuantizedLinear | QuantizedConv2d)
    assert {name for name, _ in kept.named_parameters()} <= {"0.bias"}
    error = float((kept[0].weight - exact[0].weight).norm() / exact[0].weight.norm())
    assert 0 < error < (0.01 if kind == "int8" else 0.04)
    exact[0].weight.copy_(kept[0].weight)
    one, other = (torch.randn(shape).requires_grad_() for _ in range(2))
    other.data.copy_(one.data)
    before, after = exact(one), kept(other)
    torch.testing.assert_close(after, before)
    before.square().sum().backward()
    after.square().sum().backward()
    torch.testing.assert_close(other.grad, one.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_is_off_by_half_a_step_at_most_and_keeps_zero(dtype):
    weight = torch.randn(16, 40, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 2, 16)[:, None]
    weight[3] = 0
    bits, scale = to_8_bits(weight, "int8", dtype)
    assert (bits.dtype, scale.dtype, scale.shape) == (torch.int8, dtype, (16, 1))
    steps = weight / scale.float()
    assert bool(
        ((steps - bits).abs() <= 0.5 + 127 / 256).all()
    )  # the largest of a row: a scale of 8 bits rounds it
    assert bool(((steps - bits).abs()[steps.abs() < 126] <= 0.5001).all())
    assert not bits[3].any()


def saved_for_backward(job) -> Counter[torch.dtype]:
    """Return the bytes that the first step keeps for its backward pass, by type, each tensor once."""
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.dtype, tensor.nbytes
        return tensor

    passes = Passes(job)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = passes.losses(0, 0, job.loader.step(0)[0])
    total: Counter[torch.dtype] = Counter()
    for dtype, size in kept.values():
        total[dtype] += size
    assert losses.requires_grad
    return total


def bytes_of(module) -> int:
    return sum(tensor.nbytes for tensor in [*module.parameters(), *module.buffers()])


def test_the_model_takes_a_quarter_and_the_backward_pass_keeps_no_weight(make_job):
    plain, small = (make_job(**LORA, memory={"base_dtype": kind}) for kind in ("same", "int8"))
    assert bytes_of(small.model.unet) < 0.3 * bytes_of(plain.model.unet)
    weights = sum(parameter.nbytes for parameter in plain.model.unet.parameters())
    assert saved_for_backward(small)[torch.float32] < saved_for_backward(plain)[torch.float32] - 0.5 * weights
    small_types = {tensor.dtype for tensor in small.model.unet.buffers() if tensor.dim() > 1}
    assert small_types == {torch.int8, torch.float32}


@pytest.mark.parametrize(("kind", "off"), [("int8", 0.01), pytest.param("fp8", 0.03, marks=pytest.mark.slow)])
def test_a_lora_beside_it_learns_nearly_the_same_and_goes_on_exactly(kind, off, make_job, run_job, tmp_path):
    plain = [report.loss for report in run_job(make_job(**LORA, side=128))]
    whole, part, resumed = (make_job(**LORA, side=128, memory={"base_dtype": kind}) for _ in range(3))
    losses = [report.loss for report in run_job(whole)]
    assert losses != plain
    assert losses == pytest.approx(plain, rel=off)
    seen = [report.loss for report in run_job(part, 1)]
    save_checkpoint(tmp_path, checkpoint_of(part))
    assert restore(resumed, newest_valid(tmp_path)[0]) == []
    assert seen + [report.loss for report in run_job(resumed)] == losses


def test_a_preview_is_drawn_and_only_the_lora_is_saved(make_job, tmp_path):
    memory = {"base_dtype": "fp8", "mixed_precision": "bf16", "gradient_checkpointing": True}
    job = make_job(**LORA, memory=memory)
    before = {name: tensor.clone() for name, tensor in job.model.unet.state_dict().items()}
    passes = Passes(job)
    passes.of_step(0, job.loader.step(0))
    assert all(parameter.grad.isfinite().all() for parameter in job.parameters.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in job.model.unet.state_dict().items())
    saved = save_result(job, tmp_path / "frog")
    with safe_open(saved.paths[0], "pt") as file:
        assert {name[:5] for name in file.keys()} == {"lora_"}  # noqa: SIM118
    prompt, autocast = Prompt(prompt="a frog", steps=1), job.precision.autocast(job.device)
    picture = draw(job.model, prompt, (64, 64), job.device, clip_skip=None, autocast=autocast)
    assert picture.size == (64, 64)
