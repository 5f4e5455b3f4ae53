import pytest
import torch
from diffusers.optimization import get_scheduler

from trainer_core.config.schema import Optimizer, Scheduler, TextEncoder, Train
from trainer_core.train.learning_rate import learning_rate_at, peak_learning_rates
from trainer_core.train.scaler import LossScaler

KINDS = ["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"]
CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("warmup", [0, 7])
def test_schedules_are_those_of_diffusers(kind, warmup):
    ours = Scheduler(type=kind, warmup_steps=warmup, cycles=3, power=2.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=3e-4)
    theirs = get_scheduler(
        kind, optimizer, num_warmup_steps=warmup, num_training_steps=50, num_cycles=3, power=2.0
    )
    for step in range(50):
        assert learning_rate_at(step, 50, 3e-4, ours) == pytest.approx(theirs.get_last_lr()[0], abs=1e-15)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_up_in_percent_is_that_share_of_all_steps(kind):
    percent, steps = Scheduler(type=kind, warmup_percent=14), Scheduler(type=kind, warmup_steps=7)
    rates = [[learning_rate_at(step, 50, 3e-4, given) for step in range(50)] for given in (percent, steps)]
    assert rates[0] == rates[1]


def test_scale_lr_multiplies_both_rates_by_the_samples_of_a_step():
    train = Train(batch_size=3, gradient_accumulation=4)
    plain, scaled = (Optimizer(learning_rate=1e-6, scale_lr=flag) for flag in (False, True))
    own = TextEncoder(learning_rate=5e-7)
    assert peak_learning_rates(plain, TextEncoder(), train) == (1e-6, 1e-6)
    assert peak_learning_rates(plain, own, train) == (1e-6, 5e-7)
    assert peak_learning_rates(scaled, own, train) == pytest.approx((12e-6, 6e-6))
    assert peak_learning_rates(scaled, TextEncoder(), train) == pytest.approx((12e-6, 12e-6))


def test_the_loss_scale_halves_on_overflow_and_doubles_after_enough_clean_steps():
    scaler = LossScaler(CPU, enabled=True, initial=1024.0, growth_interval=3)
    seen = []
    for overflowed in (False, True, False, False, False, True, True, False):
        scaler.update(torch.tensor(overflowed))
        seen.append(float(scaler.scale))
    assert seen == [1024, 512, 512, 512, 1024, 512, 256, 256]


def test_the_loss_scale_is_restored_exactly():
    one, other = (LossScaler(CPU, enabled=True, initial=64.0, growth_interval=2) for _ in range(2))
    one.update(torch.tensor(False))
    other.load(one.state())
    other.update(torch.tensor(False))
    assert float(other.scale) == 128


def test_a_disabled_scaler_never_scales():
    scaler = LossScaler(CPU, enabled=False)
    for _ in range(3000):
        scaler.update(torch.tensor(False))
    assert float(scaler.scale) == 1


@pytest.mark.parametrize("kind", ["cosine_with_restarts", "polynomial"])
def test_every_group_follows_the_schedule_from_its_own_peak(kind, make_job, run_job):
    extra = {"cycles": 2} if kind == "cosine_with_restarts" else {"power": 2.0}
    job = make_job(
        train={"max_steps": 8, "workers": 1},
        scheduler={"type": kind, "warmup_steps": 3, **extra},
        text_encoder={"learning_rate": 3e-5},
    )
    seen = []
    job.optimizer.step = lambda rates, *others: seen.append(rates)
    run_job(job)
    alone = [torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=peak) for peak in (1e-4, 3e-5)]
    theirs = [
        get_scheduler(kind, each, num_warmup_steps=3, num_training_steps=8, num_cycles=2, power=2.0)
        for each in alone
    ]
    assert len(seen) == 8
    for rates in seen:
        assert rates == pytest.approx([each.get_last_lr()[0] for each in theirs], abs=1e-15)
        for optimizer, schedule in zip(alone, theirs, strict=True):
            optimizer.step()
            schedule.step()
