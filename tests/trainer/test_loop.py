"""Every setting that the loop reads changes what it should, and nothing else."""

import math

import pytest
import torch

from trainer_core.config.schema import Memory
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.precision import Precision

FEW = {"max_steps": 4, "batch_size": 2, "workers": 1}


def losses(reports):
    return [report.loss for report in reports]


def component(job, name):
    return {key: value.detach().clone() for key, value in job.model.module(name).state_dict().items()}


def test_every_tensor_of_unet_and_text_encoder_moves_and_the_vae_does_not(make_job, run_job):
    job = make_job(train=FEW)
    before = {name: component(job, name) for name in ("unet", "text_encoder", "vae")}
    run_job(job)
    for name in ("unet", "text_encoder"):
        after = component(job, name)
        still = [key for key, value in before[name].items() if torch.equal(value, after[key])]
        assert still == []
    assert all(torch.equal(value, component(job, "vae")[key]) for key, value in before["vae"].items())


def test_the_same_seed_gives_the_same_losses_and_another_does_not(make_job, run_job):
    first, again, other = (losses(run_job(make_job(train={**FEW, "seed": seed}))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("memory", [{"gradient_checkpointing": True}, {"attention": "sliced"}], ids=str)
def test_what_saves_memory_learns_the_same(memory, make_job, run_job):
    plain, saving = (losses(run_job(make_job(train=FEW, memory=table, side=128))) for table in ({}, memory))
    assert saving == pytest.approx(plain, abs=2e-6)


def test_gradient_checkpointing_and_slicing_are_switched_on(make_job):
    job = make_job(memory={"gradient_checkpointing": True, "attention": "sliced"})
    assert job.model.unet.is_gradient_checkpointing
    assert job.model.text_encoder.is_gradient_checkpointing
    assert {type(processor).__name__ for processor in job.model.unet.attn_processors.values()} == {
        "SlicedAttnProcessor"
    }


@pytest.mark.parametrize("cache", ["off", "disk"])
def test_latents_come_the_same_from_everywhere(cache, make_job, run_job):
    in_memory, elsewhere = (
        losses(run_job(make_job(train=FEW, dataset={"cache_latents": kind}, side=128))) for kind in ("ram", cache)
    )
    assert elsewhere == pytest.approx(in_memory, abs=2e-6)


def test_accumulation_makes_one_step_of_several_batches(make_job, run_job):
    tables = {"max_steps": 2, "batch_size": 1, "gradient_accumulation": 4, "workers": 1}
    job = make_job(train=tables)
    step = job.samples.order.step(0)
    assert [len(micro.items) for micro in step] == [1, 1, 1, 1]
    assert len(run_job(job)) == 2
    assert job.step == 2


def test_prior_weight_scales_the_class_pictures_alone(make_job, run_job):
    with_class = [
        losses(run_job(make_job(train=FEW, prior={"weight": weight}), 1))[0] for weight in (0.0, 1.0, 2.0)
    ]
    assert with_class[1] - with_class[0] == pytest.approx(with_class[2] - with_class[1], abs=1e-5)
    assert with_class[1] > with_class[0]
    native = [
        losses(run_job(make_job(train=FEW, reg=False, prior={"weight": weight}), 1)) for weight in (0.0, 2.0)
    ]
    assert native[0] == native[1]


def test_clip_skip_changes_what_the_unet_is_told(make_job, run_job):
    default, last, second = (
        losses(run_job(make_job(train=FEW, model=table), 1)) for table in ({}, {"clip_skip": 1}, {"clip_skip": 2})
    )
    assert default == last
    assert second != default


def test_a_frozen_text_encoder_stays_and_is_asked_once(make_job, run_job):
    job = make_job(train=FEW, text_encoder={"train": False})
    before = component(job, "text_encoder")
    assert job.conditioning.embeddings is not None
    assert len(job.conditioning.embeddings) == 2  # "sls frog" and "frog"
    first = losses(run_job(job))[0]
    assert all(torch.equal(value, component(job, "text_encoder")[key]) for key, value in before.items())
    assert first == pytest.approx(losses(run_job(make_job(train=FEW), 1))[0], abs=1e-5)


def test_clipping_bounds_what_a_step_does(make_job, run_job):
    changed = []
    for norm in (0.0, 1e-6):
        job = make_job(train={**FEW, "max_steps": 1}, optimizer={"max_grad_norm": norm, "eps": 1e-2})
        before = component(job, "unet")
        run_job(job)
        after = component(job, "unet")
        changed.append(max(float((after[key] - value).abs().max()) for key, value in before.items()))
    # With this large an epsilon Adam's step is proportional to the gradient, so clipping shows in it.
    assert changed[1] < changed[0] / 3


@pytest.mark.parametrize("full", [False, True])
def test_bf16_follows_float32(full, make_job, run_job):
    exact = losses(run_job(make_job(train=FEW, side=128)))
    memory = {"mixed_precision": "bf16", "full_bf16": full}
    job = make_job(train=FEW, memory=memory, side=128)
    dtype = torch.bfloat16 if full else torch.float32
    assert {parameter.dtype for parameter in job.parameters.values()} == {dtype}
    assert losses(run_job(job)) == pytest.approx(exact, rel=0.05)


def test_fp16_is_refused_on_a_cpu():
    with pytest.raises(UserError, match="needs a GPU") as caught:
        Precision.of(Memory(mixed_precision="fp16"), torch.device("cpu"))
    assert caught.value.code is ExitCode.CONFIG


def test_xformers_is_refused_on_a_cpu(make_job):
    with pytest.raises(UserError, match="CUDA"):
        make_job(memory={"attention": "xformers"})


@pytest.mark.row(19)
@pytest.mark.parametrize("kind", ["adamw", "adamw8bit"])
def test_a_loss_that_is_not_finite_stops_and_never_reaches_the_weights(kind, make_job, run_job):
    job = make_job(train=FEW, optimizer={"type": kind})
    fetch = job.loader.fetch

    def poisoned(index):
        mean, std = fetch(index)
        return (mean * math.inf, std) if job.step == 1 else (mean, std)

    job.loader.fetch = poisoned
    with pytest.raises(UserError, match="not a number") as caught:
        run_job(job)
    assert caught.value.code is ExitCode.NON_FINITE
    assert ".png" in caught.value.problems[0]
    assert all(parameter.isfinite().all() for parameter in job.parameters.values())


@pytest.mark.row(19)
def test_nothing_is_saved_after_a_loss_that_is_not_finite(make_job, recorder, tmp_path):
    job = make_job(train=FEW, save={"every_n_steps": 1})
    fetch = job.loader.fetch
    job.loader.fetch = lambda index: (fetch(index)[0] * (math.nan if job.step == 2 else 1.0), fetch(index)[1])
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder)

    def save_each_step():
        outputs.save_last_state()
        return True

    with pytest.raises(UserError, match="Step 3"):
        train(job, lambda report: None, save_each_step)
    assert [event["step"] for event in recorder.events if event["kind"] == "checkpoint"] == [1, 2]


def test_the_report_comes_for_every_step(make_job, run_job):
    job = make_job(train={**FEW, "max_steps": 25}, scheduler={"type": "linear", "warmup_steps": 5})
    reports = run_job(job)
    assert [report.step for report in reports] == list(range(1, 26))
    steps_per_epoch = job.samples.order.steps_per_epoch
    assert [report.epoch for report in reports] == [step // steps_per_epoch + 1 for step in range(25)]
    assert reports[5].learning_rate == pytest.approx(1e-4)
    assert all(report.grad_norm > 0 and report.images_per_s > 0 for report in reports)
