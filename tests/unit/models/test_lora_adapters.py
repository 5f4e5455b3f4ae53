"""One adapter beside one module: what it adds, what dropout leaves of it, and the limit of its norm."""

import pytest
import torch
from torch import nn

from trainer_core.models.lora.adapters import Adapter, Adapters, Dropout
from trainer_core.models.lora.places import Place

PLACE = Place("unet", "mid_block.attentions.0.proj_in")


def beside(module, dropout=None, rank=8, alpha=4.0):
    """Return adapters with random matrices, attached to `module`."""
    generator = torch.Generator().manual_seed(0)
    out, *inner = module.weight.shape
    down = torch.randn(rank, *inner, generator=generator)
    up = torch.randn(out, rank, *(1 for _ in inner[1:]), generator=generator)
    adapters = Adapters([Adapter(PLACE, down, up, alpha)], dropout or Dropout())
    adapters.attach({PLACE: module})
    return adapters


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Linear(6, 5), (2, 7, 6)),
        (nn.Conv2d(6, 5, 1), (2, 6, 4, 4)),
        (nn.Conv2d(6, 5, 3, padding=1), (2, 6, 4, 4)),
        (nn.Conv2d(6, 5, 3, stride=2, padding=1), (2, 6, 4, 4)),
    ],
)
def test_it_is_the_change_of_the_weight(module, shape):
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    plain, names = module(inputs), list(module.state_dict())
    adapters = beside(module)
    with_adapter = module(inputs)
    assert list(module.state_dict()) == names
    adapters.detach()
    assert torch.equal(module(inputs), plain)
    with torch.no_grad():
        module.weight += adapters.adapters[0].change()
    assert torch.allclose(module(inputs), with_adapter, atol=1e-4)


class TestDropout:
    """A Linear without weights, and an up matrix that shows what lies between the two."""

    def inner(self, dropout, seed=5, training=True):
        module = nn.Linear(8, 8, bias=False).train(training)
        adapters = beside(module, dropout, alpha=8.0)
        with torch.no_grad():
            module.weight.zero_()
            adapters.adapters[0].up.copy_(torch.eye(8))
            adapters.reseed(seed)
            return module(torch.ones(300, 3, 8))

    def test_the_seed_decides(self):
        assert torch.equal(self.inner(Dropout(0.5, 0.5, 0)), self.inner(Dropout(0.5, 0.5, 0)))
        assert not torch.equal(self.inner(Dropout(0.5, 0, 0)), self.inner(Dropout(0.5, 0, 0), seed=6))

    def test_outside_training_nothing_is_left_out(self):
        whole = self.inner(Dropout())
        assert torch.equal(self.inner(Dropout(0.5, 0.5, 0.99), training=False), whole)

    @pytest.mark.parametrize("rates", [{"values": 0.25}, {"ranks": 0.25}])
    def test_what_is_left_is_scaled_up(self, rates):
        share = self.inner(Dropout(**rates)) / self.inner(Dropout())
        kept = share != 0
        assert torch.allclose(share[kept], torch.tensor(1 / 0.75))
        assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
        whole_ranks = (kept == kept[:, :1]).all()  # the same at every position of a sample
        assert bool(whole_ranks) == ("ranks" in rates)

    def test_whole_adapters_are_left_out(self):
        silent = [bool((self.inner(Dropout(adapters=0.5), seed) == 0).all()) for seed in range(60)]
        assert 15 < sum(silent) < 45
        assert torch.equal(self.inner(Dropout(adapters=0.5), silent.index(False)), self.inner(Dropout()))


@pytest.mark.parametrize("module", [nn.Linear(6, 5), nn.Conv2d(6, 5, 3)])
def test_the_norm_of_the_change_is_limited(module):
    adapters = beside(module)
    adapter = adapters.adapters[0]
    norm = adapter.change().norm().item()
    before = adapter.change()
    adapters.max_norm = norm * 1.01
    adapters.limit_norms()
    assert torch.equal(adapter.change(), before)
    adapters.max_norm = norm / 3
    adapters.limit_norms()
    assert torch.allclose(adapter.change(), before / 3, rtol=1e-4, atol=1e-6)
