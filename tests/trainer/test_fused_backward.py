"""The update inside the backward pass: the same weights, one gradient at a time, and nothing broken kept."""

import math

import pytest
import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.train import passes
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.loop import train
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.scaler import LossScaler

SLOW = pytest.mark.slow
FEW = {"max_steps": 2, "workers": 1}
FULL_BF16 = {"mixed_precision": "bf16", "full_bf16": True}
CLIPPED, UNCLIPPED = {"max_grad_norm": 0.05}, {"max_grad_norm": 0.0}


def both(make_job, train=FEW, **tables):
    """Return the training that `tables` describe, without the setting and with it."""
    memory = tables.pop("memory", {})
    return tuple(make_job(train=train, **tables, memory={**memory, "fused_backward": on}) for on in (False, True))


def state_of(job):
    tensors = [value for state in job.optimizer.state() for value in state.values()]
    return [torch.as_tensor(value).clone() for value in (*job.parameters.values(), *tensors)]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


CHECKPOINTED = {"gradient_checkpointing": True}
SAME = {
    "clipped": {"optimizer": {"type": "adamw", **CLIPPED}, "memory": CHECKPOINTED},
    "adafactor": {"optimizer": {"type": "adafactor", **UNCLIPPED}, "memory": {**FULL_BF16, **CHECKPOINTED}},
}
SAME_TOO = {
    "lora": {
        "optimizer": {"type": "adamw", "learning_rate": 1e-2, **CLIPPED},
        "method": {"train": "lora"},
        "network": {"rank": 4, "dropout": 0.2, "scale_weight_norms": 0.1, "loraplus_lr_ratio": 4.0},
    },
    "text stop": {"optimizer": {"type": "adamw", **UNCLIPPED}, "text_encoder": {"stop_at_step": 1}},
    "8bit": {"optimizer": {"type": "adamw8bit", **UNCLIPPED}},
    "8bit bf16": {"optimizer": {"type": "adamw8bit", **CLIPPED}, "memory": FULL_BF16},
    "bf16 average": {"optimizer": {"type": "adamw", **CLIPPED}, "memory": FULL_BF16, "ema": {"enable": True}},
}


@pytest.mark.parametrize(
    "tables",
    [
        *(pytest.param(tables, id=name) for name, tables in SAME.items()),
        *(pytest.param(tables, id=name, marks=SLOW) for name, tables in SAME_TOO.items()),
    ],
)
def test_losses_and_weights_are_bit_for_bit_those_of_the_usual_step(tables, make_job, run_job):
    usual, fused = both(make_job, **tables)
    expected = [(report.loss, report.grad_norm) for report in run_job(usual)]
    assert [(report.loss, report.grad_norm) for report in run_job(fused)] == expected
    assert same(state_of(usual), state_of(fused))
    if usual.average:
        assert same(usual.average.tensors.values(), fused.average.tensors.values())


@pytest.mark.parametrize("clipping", [CLIPPED, pytest.param(UNCLIPPED, marks=SLOW)], ids=["clipped", "unclipped"])
def test_gradients_never_lie_in_memory_together(clipping, make_job, run_job):
    most = []
    for job in both(make_job, optimizer=clipping):
        together: list[int] = []
        parameters = list(job.parameters.values())

        def count(parameter, together=together, parameters=parameters):
            together.append(sum(other.grad is not None for other in parameters))

        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(count)
        run_job(job, 1)
        most.append((max(together), len(together) // len(parameters)))
    passes_back = 2 if clipping is CLIPPED else 1
    assert most == [(len(parameters), 1), (1, passes_back)]


def test_a_resumed_training_is_bit_for_bit_the_uninterrupted_one(make_job, run_job, tmp_path):
    tables = {"train": FEW, "memory": {**FULL_BF16, "fused_backward": True}, "optimizer": {"type": "adafactor"}}
    whole, part, resumed = (make_job(**tables) for _ in range(3))
    expected = [report.loss for report in run_job(whole)]
    seen = [report.loss for report in run_job(part, 1)]
    save_checkpoint(tmp_path, checkpoint_of(part))
    assert restore(resumed, newest_valid(tmp_path)[0]) == []
    assert seen + [report.loss for report in run_job(resumed)] == expected
    assert same(state_of(whole), state_of(resumed))


def broken_at(job, name: str) -> None:
    """Let the gradient that goes on from a module be NaN in the second step."""

    def spoil(module, grad_input, grad_output):
        return tuple(each if each is None or job.step != 1 else each * math.nan for each in grad_input)

    job.model.unet.get_submodule(name).register_full_backward_hook(spoil)


@pytest.mark.parametrize(
    ("kind", "clipping"),
    [
        ("adamw", UNCLIPPED),
        *(pytest.param(kind, CLIPPED, marks=SLOW) for kind in ("adamw", "adafactor", "adamw8bit")),
        *(pytest.param(kind, UNCLIPPED, marks=SLOW) for kind in ("adafactor", "adamw8bit")),
    ],
)
def test_a_broken_gradient_never_reaches_a_weight_or_a_state(kind, clipping, make_job):
    memory = {"fused_backward": True, **({} if kind == "adamw" else FULL_BF16)}
    job = make_job(train=FEW, optimizer={"type": kind, **clipping}, memory=memory)
    broken_at(job, "mid_block.resnets.0")  # what is above it has been updated by then, where nothing is measured
    saved: list[int] = []

    def between_steps():
        job.settle()
        saved.append(job.step)
        return True

    with pytest.raises(UserError, match="Step 2: the gradient") as caught:
        train(job, lambda report: None, between_steps)
    assert caught.value.code is ExitCode.NON_FINITE
    assert saved == [1]
    assert all(tensor.isfinite().all() for tensor in state_of(job) if tensor.is_floating_point())
    assert all(parameter.grad is None for parameter in job.parameters.values())


@pytest.mark.parametrize("kind", ["adamw", pytest.param("adamw8bit", marks=SLOW)])
def test_a_step_that_the_loss_scale_skips_leaves_no_trace(kind, make_job, run_job):
    job = make_job(train=FEW, optimizer={"type": kind}, memory={"fused_backward": True})
    job.scaler = LossScaler(torch.device("cpu"), enabled=True)
    job.optimizer.exact_skip = True
    run_job(job, 1)
    before = state_of(job)
    broken_at(job, "mid_block.resnets.0")
    assert [report.skipped for report in run_job(job, 1)] == [1]
    assert same(before, state_of(job))
    assert float(job.scaler.scale) == 65536.0 / 2


def too_much_for_more_than(job, most: int, *, in_backward: bool) -> list[int]:
    """Let a pass of more than `most` samples fail, on its way or on its way back; return the sizes tried."""
    tried: list[int] = []

    def fail():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def look(module, inputs, output):
        tried.append(len(inputs[0]))
        if len(inputs[0]) > most:
            if in_backward:
                output.register_hook(lambda gradient: fail())
            else:
                fail()

    job.model.unet.mid_block.resnets[0].register_forward_hook(look)
    return tried


@pytest.mark.slow
@pytest.mark.parametrize(("in_backward", "clipping"), [(False, UNCLIPPED), (True, CLIPPED)])
def test_a_batch_that_does_not_fit_is_computed_in_parts_as_usual(in_backward, clipping, make_job, run_job):
    usual, fused = both(make_job, {**FEW, "batch_size": 2}, optimizer=clipping)
    tried = [too_much_for_more_than(job, 1, in_backward=in_backward) for job in (usual, fused)]
    expected = [report.loss for report in run_job(usual)]
    assert [report.loss for report in run_job(fused)] == expected
    assert tried[0] == tried[1] == [2, *[1] * 4]
    assert same(state_of(usual), state_of(fused))


def test_where_weights_were_changed_already_nothing_is_saved_of_them(make_job):
    job = make_job(train=FEW, optimizer=UNCLIPPED, memory={"fused_backward": True})
    too_much_for_more_than(job, 0, in_backward=True)
    with pytest.raises(UserError, match="not enough memory for the backward pass, which updates") as caught:
        train(job, lambda report: None, lambda: True)
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert job.in_update
    assert job.step == 0


def test_the_weights_are_without_hooks_when_the_training_has_ended(make_job, run_job, monkeypatch):
    job = make_job(train=FEW, optimizer=UNCLIPPED, memory={"fused_backward": True})
    run_job(job, 1)
    computed = passes.Passes(job)
    computed.of_step(1, job.loader.step(1))
    assert all(parameter.grad is not None for parameter in job.parameters.values())
    computed.drop_gradients()
