import pytest
import torch

from trainer_core.config.schema import Config, Optimizer
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from trainer_core.train.optimizers import make_optimizer
from trainer_core.train.possible import refuse_impossible
from trainer_core.train.update_bitsandbytes import BitsandbytesUpdate

ONE, NO = torch.tensor(1.0), torch.tensor(False)
ROUNDED = ["adamw", "adamw8bit", "lion", "lion8bit", "adafactor"]
KINDS = [*ROUNDED, "prodigy", "adamw_schedulefree"]
PAGED = ["paged_adamw", "paged_adamw8bit"]


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


@pytest.mark.parametrize("kind", ROUNDED)
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
        *((kind, torch.float32) for kind in KINDS),
        *((kind, torch.float16) for kind in ROUNDED),
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


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_scaler_a_broken_gradient_never_reaches_the_weights(kind):
    for dtype in (torch.float32, torch.bfloat16) if kind in ROUNDED else (torch.float32,):
        weights = parameters(dtype)
        optimizer = make_optimizer([weights], Optimizer(type=kind, learning_rate=1e-2), exact_skip=False)
        for weight in weights:
            weight.grad = torch.full_like(weight, float("inf"))
        optimizer.step([1e-2], torch.tensor(float("nan")), torch.tensor(True), seed=1)
        assert all(weight.isfinite().all() for weight in weights)
        values = [torch.as_tensor(value) for state in optimizer.state() for value in state.values()]
        assert all(value.isfinite().all() for value in values if value.is_floating_point())


def build(kind, groups, exact_skip=False, **settings):
    """Paged ones too, which without a GPU keep their state in main memory."""
    table = Optimizer(type=kind, **{"learning_rate": 1e-2, **settings})
    if kind in PAGED:
        return BitsandbytesUpdate(groups, table, exact_skip=exact_skip)
    return make_optimizer(groups, table, exact_skip=exact_skip)


def reference_lion(weights, gradients, rate, betas, decay):
    """Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2."""
    momenta = [torch.zeros_like(weight) for weight in weights]
    for step in gradients:
        for weight, momentum, gradient in zip(weights, momenta, step, strict=True):
            direction = (betas[0] * momentum + (1 - betas[0]) * gradient).sign()
            weight.sub_(rate * (direction + decay * weight))
            momentum.mul_(betas[1]).add_(gradient, alpha=1 - betas[1])


def test_lion_is_that_of_the_paper():
    ours, theirs = parameters(), [weight.detach().clone() for weight in parameters()]
    optimizer = build("lion", [ours], betas=(0.9, 0.99), weight_decay=0.1)
    gradients = []
    for step in range(4):
        set_gradients(ours, step)
        gradients.append([weight.grad * 0.5 for weight in ours])
        optimizer.step([1e-2], torch.tensor(0.5), NO, seed=step)
    reference_lion(theirs, gradients, 1e-2, (0.9, 0.99), 0.1)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.detach(), other, rtol=0, atol=1e-6)


def library(kind, weights):
    """The library's optimizer by itself, with the settings that ours has."""
    if kind == "adafactor":
        from transformers import Adafactor

        return Adafactor(weights, lr=1e-2, relative_step=False, scale_parameter=False, weight_decay=0.01)
    if kind == "prodigy":
        from prodigyopt import Prodigy

        return Prodigy(weights, lr=1.0, use_bias_correction=True, safeguard_warmup=True, weight_decay=0.01)
    from schedulefree import AdamWScheduleFree

    return AdamWScheduleFree(weights, lr=1e-2, weight_decay=0.01)


@pytest.mark.parametrize("kind", ["adafactor", "prodigy", "adamw_schedulefree"])
def test_a_kept_library_steps_as_it_does_by_itself(kind, capsys):
    ours, theirs = parameters(), parameters()
    rate = 1.0 if kind == "prodigy" else 1e-2
    optimizer = build(kind, [ours], learning_rate=rate)
    assert capsys.readouterr().out == ""
    reference = library(kind, theirs)
    if kind == "adamw_schedulefree":
        reference.train()
    for step in range(4):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        for weight in theirs:
            weight.grad.mul_(0.25)
        optimizer.step([rate], torch.tensor(0.25), NO, seed=step)
        reference.step()
    if kind == "adamw_schedulefree":
        reference.eval()
    trained = [weight.detach().clone() for weight in ours]
    with optimizer.kept_weights():
        for mine, other in zip(ours, theirs, strict=True):
            # Adafactor is ours; its numbers are added in another order.
            torch.testing.assert_close(mine, other, rtol=0, atol=2e-6 if kind == "adafactor" else 1e-7)
        moved = any(not torch.equal(a, b) for a, b in zip(ours, trained, strict=True))
        assert moved == (kind == "adamw_schedulefree")
    assert all(torch.equal(a, b) for a, b in zip(ours, trained, strict=True))


def test_adafactor_takes_a_convolution_as_a_matrix_and_refuses_the_state_of_one_that_did_not():
    shape, matrix = (8, 6, 3, 3), (8, 54)
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 432).view(each)) for each in (shape, matrix)]
    optimizers = [build("adafactor", [[weight]]) for weight in weights]
    for optimizer, weight in zip(optimizers, weights, strict=True):
        weight.grad = torch.sin(weight.detach() * 9)
        optimizer.step([1e-2], ONE, NO, seed=0)
    assert torch.equal(weights[0].flatten(1), weights[1])
    (state,) = optimizers[0].state()
    assert {name: tuple(state[name].shape) for name in state if name != "step"} == {
        "exp_avg_sq_row": (8,),
        "exp_avg_sq_col": (54,),
    }
    older = {"step": 3, "exp_avg_sq_row": torch.ones(8, 6, 3), "exp_avg_sq_col": torch.ones(8, 6, 3)}
    with pytest.raises(UserError, match="an older version wrote") as caught:
        optimizers[0].load([older])
    assert caught.value.code is ExitCode.RESUME


@pytest.mark.parametrize("kind", [*KINDS, *PAGED])
def test_a_checkpoint_brings_every_optimizer_back_bit_for_bit(kind, tmp_path):
    whole, halted = parameters(), parameters()
    rates = [1.0, 1.0] if kind == "prodigy" else [1e-2, 3e-3]
    first, before = (build(kind, [weights[:2], weights[2:]]) for weights in (whole, halted))
    for step in range(6):
        set_gradients(whole, step)
        first.step(rates, ONE, NO, seed=step)
    for step in range(3):
        set_gradients(halted, step)
        before.step(rates, ONE, NO, seed=step)
    weights = {str(number): weight for number, weight in enumerate(halted)}
    path, _ = save_checkpoint(tmp_path, Checkpoint(3, weights, before.state(), {}, {}))
    resumed = parameters(seed=9)
    after, found = build(kind, [resumed[:2], resumed[2:]]), load_checkpoint(path, torch.device("cpu"))
    with torch.no_grad():
        for number, weight in enumerate(resumed):
            weight.copy_(found.weights[str(number)])
    after.load(found.optimizer)
    for step in range(3, 6):
        set_gradients(resumed, step)
        after.step(rates, ONE, NO, seed=step)
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))
    with first.kept_weights(), after.kept_weights():
        assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


@pytest.mark.parametrize("kind", [*KINDS, *PAGED])
def test_a_weight_without_a_gradient_is_not_touched(kind, tmp_path):
    weights = parameters()
    optimizer = build(kind, [weights[:1], weights[1:]])
    rates = [1e-2, 1e-2]
    set_gradients(weights, 0)
    optimizer.step(rates, ONE, NO, seed=0)
    before = [weight.detach().clone() for weight in weights]
    for weight in weights[1:]:
        weight.grad = None
    set_gradients(weights[:1], 1)
    optimizer.step(rates, ONE, NO, seed=1)
    assert [torch.equal(a, b) for a, b in zip(before, weights, strict=True)] == [False, True, True]


@pytest.mark.parametrize("kind", [kind for kind in [*KINDS, *PAGED] if kind != "prodigy"])
def test_groups_have_rates_of_their_own(kind):
    weights = parameters()
    before = [weight.detach().clone() for weight in weights]
    optimizer = build(kind, [weights[:1], weights[1:]], weight_decay=0.0)
    set_gradients(weights, 0)
    optimizer.step([1e-3, 1e-5], ONE, NO, seed=0)
    moved = [float((a - b).detach().abs().mean()) for a, b in zip(before, weights, strict=True)]
    assert moved[0] > 50 * moved[1] > 0
    assert moved[0] > 50 * moved[2] > 0


def test_prodigy_finds_a_rate_by_itself():
    weights = parameters()
    optimizer = build("prodigy", [weights], learning_rate=1.0, weight_decay=0.0)
    for _ in range(200):
        for weight in weights:
            weight.grad = weight.detach() - 3.0
        optimizer.step([1.0], ONE, NO, seed=0)
    assert optimizer.state()[0]["group.d"] > 1e-3  # from 1e-6
    assert float((weights[0] - 3.0).abs().mean()) < 1.0  # from 3.0


@pytest.mark.parametrize("kind", PAGED)
def test_paging_needs_a_gpu_and_says_so_at_once(kind):
    config = Config.model_validate({"optimizer": {"type": kind}})
    with pytest.raises(UserError, match=f'"{kind}" needs a CUDA GPU.*use "{kind[6:]}"') as caught:
        refuse_impossible(config, torch.device("cpu"))
    assert caught.value.code is ExitCode.CONFIG
