import pytest
import torch

from trainer_core.config.schema import Optimizer
from trainer_core.train.optimizers import make_optimizer
from trainer_core.train.rounding import round_stochastically

TYPES = [torch.float16, torch.bfloat16]


def arrived(before: torch.Tensor, after: torch.Tensor, intended: torch.Tensor) -> float:
    """Share of the intended movement that the weights made, projected on its direction."""
    moved = after.double() - before.double()
    return float((moved * intended).sum() / (intended.double() ** 2).sum())


@pytest.mark.parametrize("dtype", TYPES)
def test_mean_of_roundings_is_the_value(dtype):
    values = torch.tensor([0.1, -0.1, 1.0000001, 3.3e-5, -7e-8, 0.0, 1234.567])
    generator = torch.Generator().manual_seed(0)
    many = torch.stack([round_stochastically(values, dtype, generator).double() for _ in range(4000)])
    spacing = torch.tensor([torch.finfo(dtype).eps]) * values.abs().clamp_min(torch.finfo(dtype).tiny)
    assert ((many.mean(dim=0) - values.double()).abs() < spacing.double() * 0.05).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_exact_values_stay(dtype):
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert torch.equal(round_stochastically(values.float(), dtype, torch.Generator().manual_seed(1)), values)


@pytest.mark.parametrize("kind", ["adamw", "adamw8bit"])
@pytest.mark.parametrize("dtype", TYPES)
def test_at_1e_6_the_intended_movement_arrives_where_plain_rounding_loses_it(kind, dtype):
    generator = torch.Generator().manual_seed(0)
    start = (torch.randn(1_000_000, generator=generator) * 0.03).to(dtype)
    signs = torch.randn(start.shape, generator=generator).sign()
    weight = torch.nn.Parameter(start.clone())
    settings = Optimizer(type=kind, learning_rate=1e-6, weight_decay=0.0)
    optimizer = make_optimizer([[weight]], settings, exact_skip=False)
    for step in range(4):
        weight.grad = (signs * 1e-2).to(dtype)
        # not the seed of the weights
        optimizer.step([1e-6], torch.tensor(1.0), torch.tensor(False), seed=1000 + step)
    intended = -4e-6 * signs  # Adam moves by the learning rate while the gradient keeps its sign
    assert arrived(start, weight.detach(), intended) > 0.95
    plainly = start.clone()
    for _ in range(4):
        plainly = (plainly.float() - 1e-6 * signs).to(dtype)
    assert arrived(start, plainly, intended) < 0.3
