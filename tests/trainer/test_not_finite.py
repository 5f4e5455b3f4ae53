"""A loss, gradient or weight that is not finite: told of the very picture, never kept."""

import math

import pytest
import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.train import loop, passes
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.scaler import LossScaler

MARK = 0.125
THREE_BY_TWO = {"max_steps": 4, "batch_size": 3, "gradient_accumulation": 2, "workers": 1}


def refusal(job, between_steps=lambda: True) -> str:
    with pytest.raises(UserError) as caught:
        train(job, lambda report: None, between_steps)
    assert caught.value.code is ExitCode.NON_FINITE
    assert all(parameter.isfinite().all() for parameter in job.parameters.values())
    assert all(parameter.grad is None for parameter in job.parameters.values())
    states = [
        value for state in job.optimizer.state() for value in state.values() if isinstance(value, torch.Tensor)
    ]
    assert all(value.isfinite().all() for value in states if value.is_floating_point())
    (text,) = caught.value.problems
    return text


def name_of(job, item: int) -> str:
    path = job.samples.items[item].picture.path
    return f"{path.parent.name}/{path.name}"


def poison(job, monkeypatch, item: int, from_step: int, spoil) -> None:
    """Let `spoil` have the losses, [B], and which of them are of this item, wherever they are computed."""
    true_draw, true_losses = passes.drawn_for, passes.losses_of

    def drawn_for(job, batch, generator, *, at_once):
        drawn = true_draw(job, batch, generator, at_once=at_once)
        for row, each in enumerate(batch.items):
            if each == item and job.step >= from_step:
                drawn.latents[row, 0, 0, 0] = MARK  # the loss of the noise does not see it
        return drawn

    def losses_of(job, drawn, hidden):
        return spoil(true_losses(job, drawn, hidden), drawn.latents[:, 0, 0, 0] == MARK)

    monkeypatch.setattr(passes, "drawn_for", drawn_for)
    monkeypatch.setattr(passes, "losses_of", losses_of)


def spoil_loss(losses, rows):
    return losses.masked_fill(rows, math.nan)


def spoil_gradient(losses, rows):
    losses.register_hook(lambda gradient: gradient.masked_fill(rows, math.nan))
    return losses


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        pytest.param(spoil_loss, "the loss", marks=pytest.mark.row(19)),
        pytest.param(spoil_gradient, "the gradient", marks=pytest.mark.row(20)),
    ],
)
def test_of_two_batches_of_three_the_one_picture_is_named(spoil, what, make_job, monkeypatch):
    job = make_job(train=THREE_BY_TWO)
    batches = job.samples.order.step(1)
    assert [len(micro.items) for micro in batches] == [3, 3]
    culprit = batches[1].items[1]
    others = {item for micro in batches for item in micro.items} - {culprit}
    poison(job, monkeypatch, culprit, 1, spoil)
    text = refusal(job)
    assert text.startswith(f"Step 2: {what} of {name_of(job, culprit)} is not a number.")
    assert not [item for item in others if name_of(job, item) in text]
    assert "Look at it" in text
    assert "lower optimizer.learning_rate" in text


def test_a_gradient_that_does_not_break_again_names_the_whole_step(make_job, monkeypatch):
    job = make_job(train={**THREE_BY_TWO, "gradient_accumulation": 1})
    once = iter([True])

    def spoil(losses, rows):
        if job.step == 1 and next(once, False):
            losses.register_hook(lambda gradient: gradient * math.nan)
        return losses

    poison(job, monkeypatch, -1, 0, spoil)
    text = refusal(job)
    assert "Step 2: the gradient of the step with " in text
    assert all(name_of(job, item) in text for item in job.samples.order.step(1)[0].items)


@pytest.mark.parametrize(
    "tables",
    [
        {"ema": {"enable": True}, "memory": {"mixed_precision": "bf16", "full_bf16": True}},
        {"method": {"train": "lora"}, "network": {"scale_weight_norms": 1.0}, "ema": {"enable": True}},
    ],
    ids=["bf16", "lora"],
)
def test_every_loss_broken_means_a_training_that_diverged(tables, make_job, monkeypatch):
    job = make_job(train=THREE_BY_TWO, **tables)
    poison(job, monkeypatch, -1, 0, lambda losses, rows: losses * (math.nan if job.step == 1 else 1.0))
    text = refusal(job)
    assert "the loss of all 6 pictures of the step" in text
    assert "Look at it" not in text
    assert all(tensor.isfinite().all() for tensor in job.average.tensors.values())


def test_weights_that_broke_are_not_written(make_job, recorder, tmp_path):
    job = make_job(train=THREE_BY_TWO)
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder)
    parameter = job.parameters["unet.conv_out.weight"]

    def break_and_save():
        kept = parameter.detach().clone()
        parameter.data.view(-1)[5] = math.inf
        try:
            outputs.save_state()
        finally:
            parameter.data = kept
        return True

    text = refusal(job, break_and_save)
    assert "Step 1: 1 of " in text
    assert "unet.conv_out.weight" in text
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def overflowing(job, monkeypatch, steps: int) -> None:
    """Train with a loss scale; in the first `steps` the gradient overflows."""
    job.scaler = LossScaler(torch.device("cpu"), enabled=True)

    def spoil(losses, rows):
        if job.step < steps:
            losses.register_hook(lambda gradient: gradient * math.inf)
        return losses

    poison(job, monkeypatch, -1, 0, spoil)


def test_a_step_that_the_loss_scale_skips_is_counted_and_told_once(make_job, run_job, monkeypatch, recorder):
    job = make_job(events=recorder, train={"max_steps": 4, "workers": 1})
    overflowing(job, monkeypatch, 2)
    before = {name: value.detach().clone() for name, value in job.parameters.items()}
    reports = run_job(job, 2)
    assert all(torch.equal(value, before[name]) for name, value in job.parameters.items())
    reports += run_job(job)
    assert [report.skipped for report in reports] == [1, 2, 0, 0]  # counted by each part of a run
    assert not any(torch.equal(value, before[name]) for name, value in job.parameters.items())
    assert float(job.scaler.scale) == 65536.0 / 4
    (told,) = (event for event in recorder.events if event["kind"] == "warning")
    assert (told["code"], told["step"]) == ("fp16_step_skipped", 1)


def test_a_loss_scale_that_no_longer_helps_ends_the_training(make_job, monkeypatch):
    monkeypatch.setattr(loop, "OVERFLOWS_ALLOWED", 2)
    job = make_job(train={"max_steps": 8, "workers": 1})
    overflowing(job, monkeypatch, 8)
    assert "Step 3: the gradient of " in refusal(job)
