import pytest
import torch

from trainer_core.config.schema import Optimizer
from trainer_core.train.optimizers import make_optimizer

ONE, NO = torch.tensor(1.0), torch.tensor(False)


def parameters(dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(64, 80), (5000,), (3,)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def set_gradients(weights, step):
    generator = torch.Generator().manual_seed(100 + step)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)


def test_adamw_is_torchs_adamw_with_clipping_folded_in():
    ours, theirs = parameters(), parameters()
    settings = Optimizer(type="adamw", learning_rate=1e-3, weight_decay=0.1, betas=(0.8, 0.99), eps=1e-7)
    optimizer = make_optimizer([ours], settings, exact_skip=False)
    reference = torch.optim.AdamW(theirs, lr=1e-3, weight_decay=0.1, betas=(0.8, 0.99), eps=1e-7, foreach=False)
    for step in range(5):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        norm = torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        reference.step()
        optimizer.step([1e-3], 0.5 / (norm + 1e-6), NO, seed=step)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)


def test_8bit_is_bitsandbytes_own_step():
    from bitsandbytes.optim import AdamW8bit

    ours, theirs = parameters(), parameters()
    optimizer = make_optimizer([ours], Optimizer(type="adamw8bit", learning_rate=1e-3), exact_skip=False)
    reference = AdamW8bit(theirs, lr=1e-3, weight_decay=0.01)
    for step in range(5):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step([1e-3], ONE, NO, seed=step)
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("kind", ["adamw", "adamw8bit"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_weights_follow_the_float32_ones(kind, dtype):
    low, full = parameters(dtype), parameters(dtype)
    exact = [torch.nn.Parameter(weight.detach().float()) for weight in full]
    settings = Optimizer(type=kind, learning_rate=1e-2)
    rounded, plain = (make_optimizer([group], settings, exact_skip=False) for group in (low, exact))
    for step in range(5):
        set_gradients(low, step)
        for weight, other in zip(exact, low, strict=True):
            weight.grad = other.grad.float()
        rounded.step([1e-2], ONE, NO, seed=step)
        plain.step([1e-2], ONE, NO, seed=step)
    for mine, other in zip(low, exact, strict=True):
        spacing = torch.finfo(dtype).eps * 4
        assert ((mine.float() - other).abs() <= spacing * other.abs().clamp_min(1e-2) * 5).all()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("adamw", torch.float32),
        ("adamw", torch.float16),
        ("adamw8bit", torch.float32),
        ("adamw8bit", torch.float16),
    ],
)
def test_a_skipped_step_leaves_no_trace(kind, dtype):
    weights = parameters(dtype)
    optimizer = make_optimizer([weights], Optimizer(type=kind, learning_rate=1e-2), exact_skip=True)
    set_gradients(weights, 0)
    optimizer.step([1e-2], ONE, NO, seed=0)
    before = [weight.detach().clone() for weight in weights]
    states = [{k: v.clone() if torch.is_tensor(v) else v for k, v in s.items()} for s in optimizer.state()]
    for weight in weights:
        weight.grad = torch.full_like(weight, float("nan"))
    optimizer.step([1e-2], torch.tensor(float("nan")), torch.tensor(True), seed=1)
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))
    for old, new in zip(states, optimizer.state(), strict=True):
        assert all(torch.equal(torch.as_tensor(old[name]), torch.as_tensor(new[name])) for name in old)


@pytest.mark.parametrize("kind", ["adamw", "adamw8bit"])
def test_without_a_scaler_a_broken_gradient_never_reaches_the_weights(kind):
    for dtype in (torch.float32, torch.bfloat16):
        weights = parameters(dtype)
        optimizer = make_optimizer([weights], Optimizer(type=kind, learning_rate=1e-2), exact_skip=False)
        for weight in weights:
            weight.grad = torch.full_like(weight, float("inf"))
        optimizer.step([1e-2], torch.tensor(float("nan")), torch.tensor(True), seed=1)
        assert all(weight.isfinite().all() for weight in weights)
