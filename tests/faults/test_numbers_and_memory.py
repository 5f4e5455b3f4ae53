"""Numbers that are not finite, and memory that is too small, in real trainer processes."""

import pytest
from safetensors.torch import load_file, save_file

from tests.faults.evidence import (
    console,
    content,
    ended_well_told,
    events,
    losses,
    same_weights,
    strays,
    valid,
    weights,
)
from trainer_core.errors import ExitCode

LONG = pytest.mark.faults
BROKEN_LOSS = """
import torch
from trainer_core.train import passes
true_losses = passes.batch_losses
def batch_losses(job, batch, generator):
    losses = true_losses(job, batch, generator)
    return losses * {value} if job.step == 6 else losses
passes.batch_losses = batch_losses
"""
BROKEN_GRADIENT = """
import torch
from trainer_core.train import passes
true_losses = passes.batch_losses
def batch_losses(job, batch, generator):
    losses = true_losses(job, batch, generator)
    if job.step == 6:
        losses.register_hook(lambda gradient: gradient * torch.nan)
    return losses
passes.batch_losses = batch_losses
"""
SMALL_MEMORY = """
import torch
from diffusers import UNet2DConditionModel
calls = 0
true_forward = UNet2DConditionModel.forward
def forward(self, sample, *arguments, **named):
    global calls
    calls += 1
    if {when}:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return true_forward(self, sample, *arguments, **named)
UNet2DConditionModel.forward = forward
"""
SMALL_MEMORY_FOR_THE_UPDATE = """
import torch
from trainer_core.train.update_torch import FusedAdamW
true_step, steps = FusedAdamW.step, 0
def step(self, *arguments):
    global steps
    steps += 1
    true_step(self, *arguments)
    if steps == 7:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
FusedAdamW.step = step
"""


def broke_at_step_7(run, trainer, what: str) -> str:
    """Assert that the run broke at step 7 and kept nothing of it; return what it said."""
    text = ended_well_told(run, trainer.wait(), ExitCode.NON_FINITE)
    assert f"Step 7: {what} of " in text
    assert ".png" in text
    assert "The state after step 4 is kept (checkpoints/000004)" in text
    assert [path.name for path in valid(run)] == ["000004"]
    assert [path.name for path in run.output.iterdir()] == ["frog-step00000004.safetensors"]
    assert all(tensor.isfinite().all() for path in run.path.rglob("*.safetensors") for tensor in tensors(path))
    assert strays(run) == []
    return text


def tensors(path):
    return [tensor for tensor in load_file(path).values() if tensor.is_floating_point()]


@pytest.mark.row(19)
def test_a_loss_that_is_not_a_number_stops_before_the_weights(run, start, whole):
    trainer = start(run, before=BROKEN_LOSS.format(value="torch.nan"))
    text = broke_at_step_7(run, trainer, "the loss")
    assert text.count(".png") == 1  # the batch holds one
    kept = content(run.checkpoints)
    assert start(run, before=BROKEN_LOSS.format(value="torch.nan")).wait() == ExitCode.NON_FINITE
    assert content(run.checkpoints) == kept
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(19)
@LONG
def test_an_infinite_loss_stops_before_the_weights(run, start):
    trainer = start(run, before=BROKEN_LOSS.format(value="torch.inf"))
    broke_at_step_7(run, trainer, "the loss")


@pytest.mark.row(20)
@LONG
def test_a_gradient_that_is_not_a_number_stops_before_the_weights(run, start, whole):
    broke_at_step_7(run, start(run, before=BROKEN_GRADIENT), "the gradient")
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(21)
@LONG
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["unet", "text encoder", "vae", "separate vae"])
def test_a_model_that_holds_no_number_is_refused(part, value, run_file, make_run, start, tmp_path):
    model = load_file(run_file.parent / "tiny.safetensors")
    prefix = {
        "unet": "model.diffusion_model.out.",
        "text encoder": "cond_stage_model.transformer.text_model.final_layer_norm.",
        "vae": "first_stage_model.decoder.conv_out.",
        "separate vae": "first_stage_model.decoder.conv_out.",
    }[part]
    name = next(name for name in sorted(model) if name.startswith(prefix))
    model[name].view(-1)[0] = value
    save_file(model, tmp_path / "broken.safetensors")
    where = "model.vae" if part == "separate vae" else "model.base"
    run = make_run(tmp_path / "runs", f'{where}="{tmp_path / "broken.safetensors"}"')
    text = ended_well_told(run, start(run).wait(), ExitCode.MODEL)
    assert str(tmp_path / "broken.safetensors") in text
    assert f"{name} of the {part.removeprefix('separate ')}".lower() in text.lower().replace("-", "")
    assert "not finite" in text
    assert list(run.output.glob("*")) == []


AT_128 = ("dataset.resolution=[128, 128]", "train.batch_size=4", "train.max_steps=3")


@pytest.mark.row(22)
@LONG
def test_a_first_step_that_does_not_fit_is_done_in_halves(make_run, start, tmp_path):
    whole = make_run(tmp_path / "whole", *AT_128)
    small = make_run(tmp_path / "small", *AT_128)
    assert start(whole).wait() == 0, console(whole)
    assert start(small, before=SMALL_MEMORY.format(when="len(sample) > 1")).wait() == 0, console(small)
    told = [each for each in events(small, "warning") if each["code"] == "out_of_memory"]
    sizes = [each["size"] for each in told]
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)
    assert told[0]["step"] == 0
    assert list(losses(small)) == [1, 2, 3]
    for step, loss in losses(whole).items():  # sums in another order; two steps of Adam make it more
        assert losses(small)[step] == pytest.approx(loss, rel=1e-6 if step == 1 else 1e-3)
    assert weights(small).keys() == weights(whole).keys()
    assert events(small, "resumed") == []  # no restart


@pytest.mark.row(23)
def test_a_picture_that_does_not_fit_later_saves_and_says_what_to_do(run, start, whole):
    trainer = start(run, before=SMALL_MEMORY.format(when="calls > 6"))
    text = ended_well_told(run, trainer.wait(), ExitCode.OUT_OF_MEMORY)
    assert "Step 7: there was not enough memory for a single picture" in text
    assert text.index("memory.gradient_checkpointing = true") < text.index('optimizer.type = "adamw8bit"')
    assert "The state after step 6 is kept (checkpoints/000006)" in text
    assert [path.name for path in valid(run)] == ["000004", "000006"]
    assert start(run).wait() == 0, console(run)
    assert [each["from_step"] for each in events(run, "resumed")] == [6]
    assert same_weights(run, whole)


@pytest.mark.row(23)
@LONG
def test_an_update_that_does_not_fit_leaves_the_last_good_state(run, start, whole):
    trainer = start(run, before=SMALL_MEMORY_FOR_THE_UPDATE)
    text = ended_well_told(run, trainer.wait(), ExitCode.OUT_OF_MEMORY)
    assert "Step 7: there was not enough memory for the optimizer" in text
    assert [path.name for path in valid(run)] == ["000004"]
    assert start(run).wait() == 0, console(run)
    assert same_weights(run, whole)


@pytest.mark.row(24)
@LONG
def test_a_preview_that_does_not_fit_is_left_out(make_run, start, whole, tmp_path):
    prompts = 'sample.prompts=[{prompt="sls frog", steps=2}]'
    run = make_run(tmp_path, prompts, "sample.every_n_steps=6")
    assert start(run, before=SMALL_MEMORY.format(when="not self.training")).wait() == 0, console(run)
    told = [each["step"] for each in events(run, "warning") if each["code"] == "preview_out_of_memory"]
    assert told == [6, 12]
    assert list(run.samples.glob("*")) == []
    assert same_weights(run, whole)
