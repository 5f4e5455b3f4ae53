"""The validation: its numbers follow from the weights alone, and it leaves no trace in the training."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import trainer_core.data.cache
from trainer_core.data.scan import scan_dataset
from trainer_core.models.load import load_model
from trainer_core.run.control import ControlReader, append_command
from trainer_core.run.directory import RunDirectory
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.fixed_samples import class_prompts, measure_of
from trainer_core.train.halt import Halt
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.session import Session
from trainer_core.train.validation import Validation

from .test_pause import Asked

STEPS = 3
EVERY_STEP = {
    "train": {"max_steps": STEPS},
    "text_encoder": {"train": False},
    "validation": {"samples": 2, "every_n_steps": 1},
}
SIDE = 64
LORA = {
    "method": {"train": "lora"},
    "text_encoder": {"train": True},
    "network": {"dropout": 0.3, "rank": 4, "alpha": 4},
    "optimizer": {"learning_rate": 1e-2},
    "dataset": {"flip_aug": True},
}
VARIANTS = [
    pytest.param(
        "sd1",
        "epsilon",
        {"ema": {"enable": True}, "text_encoder": {"train": True, "stop_at_step": 2}},
        id="full-ema",
        marks=pytest.mark.slow,
    ),
    pytest.param("sd2", "v", LORA, id="lora-v-dropout"),
    pytest.param(
        "sd1",
        "epsilon",
        {"memory": {"fused_backward": True, "gradient_checkpointing": True}},
        id="fused-cached-text",
        marks=pytest.mark.slow,
    ),
]


def validation_of(job) -> Validation:
    scan = scan_dataset(job.config.dataset, job.config.concept, method=job.config.method.captions)
    validation = Validation.of(job, measure_of(job.config, scan, job.model, job.device))
    assert validation is not None
    return validation


def session_of(job, recorder, folder: Path, *, measures: bool = True) -> Session:
    run = RunDirectory(folder)
    run.path.mkdir(exist_ok=True)
    halt = Halt(ControlReader(run), Asked(), recorder)
    validation = validation_of(job) if measures else None
    return Session(job, Outputs(job, run, recorder, halt.is_asked), recorder, halt, None, validation)


def weights(job) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in job.parameters.items()}


def told(recorder, name="step"):
    return [event[name] for event in recorder.events if event["kind"] == "validation"]


@pytest.mark.parametrize(("family", "prediction", "tables"), VARIANTS)
def test_it_leaves_no_trace(family, prediction, tables, make_job, recorder, tmp_path):
    trained = []
    for measures in (False, True):
        job = make_job(family, prediction, side=SIDE, reg=False, events=recorder, **{**EVERY_STEP, **tables})
        session = session_of(job, recorder, tmp_path / f"{measures}", measures=measures)
        torch.manual_seed(0)
        session.validate()
        train(job, session.report, session.between_steps)
        session.validate()
        with job.kept_weights():
            kept = weights(job)
        trained.append((weights(job), kept, torch.rand(3), [each["loss"] for each in steps_of(recorder)]))
        recorder.events = [] if not measures else recorder.events
    (alone, kept_alone, chance_alone, losses_alone), (watched, kept, chance, losses) = trained
    assert losses == losses_alone
    assert torch.equal(chance, chance_alone)
    assert all(torch.equal(value, alone[name]) for name, value in watched.items())
    assert all(torch.equal(value, kept_alone[name]) for name, value in kept.items())
    assert told(recorder) == list(range(STEPS + 1))
    drifts = told(recorder, "drift")
    assert drifts[0] == 0
    assert all(drift > 0 for drift in drifts[1:])
    assert len(set(told(recorder, "loss"))) == STEPS + 1


def steps_of(recorder):
    return [event for event in recorder.events if event["kind"] == "step"]


def test_the_numbers_are_the_same_after_a_resume(make_job, recorder, tmp_path):
    whole = make_job(side=SIDE, reg=False, events=recorder, **EVERY_STEP)
    session = session_of(whole, recorder, tmp_path / "whole")
    train(whole, session.report, session.between_steps)
    expected = [(event["step"], event["loss"], event["drift"]) for event in recorder.events if "drift" in event]
    recorder.events = []
    first = make_job(side=SIDE, reg=False, events=recorder, **EVERY_STEP)
    session = session_of(first, recorder, tmp_path / "first")
    train(first, session.report, lambda: session.between_steps() and first.step < 2)
    save_checkpoint(tmp_path / "state", checkpoint_of(first))
    second = make_job(side=SIDE, reg=False, events=recorder, **EVERY_STEP)
    session = session_of(second, recorder, tmp_path / "second")  # made of the start model's weights
    restore(second, newest_valid(tmp_path / "state")[0])
    train(second, session.report, session.between_steps)
    resumed = [(event["step"], event["loss"], event["drift"]) for event in recorder.events if "drift" in event]
    assert resumed == expected


def test_loss_weights_noise_and_robust_losses_do_not_change_what_is_measured(make_job):
    plain = validation_of(make_job(side=SIDE, reg=False, **EVERY_STEP)).numbers()
    loss = {"min_snr_gamma": 1.0, "type": "huber", "noise_offset": 0.2, "multires_noise_iterations": 2}
    assert validation_of(make_job(side=SIDE, reg=False, loss=loss, **EVERY_STEP)).numbers() == plain


def test_too_little_memory_halves_what_goes_through_at_once_and_then_leaves_it_out(make_job, recorder):
    tables = {**EVERY_STEP, "train": {"max_steps": STEPS, "batch_size": 4}}
    job = make_job(side=SIDE, reg=False, events=recorder, **tables)
    validation = validation_of(job)
    whole, most = validation.numbers(), [2]

    def look(_, arguments):
        if len(arguments[0]) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with job.model.unet.register_forward_pre_hook(look):
        halved = validation.numbers()
        most[0] = 0
        validation.tell()
    assert (halved.loss, halved.drift) == pytest.approx((whole.loss, whole.drift), abs=1e-5)
    assert [event["code"] for event in recorder.events if event["kind"] == "warning"] == [
        "validation_out_of_memory"
    ]
    assert told(recorder) == []
    assert job.model.unet.training


def test_a_stop_abandons_it_and_the_resume_measures(make_job, recorder, tmp_path):
    job = make_job(side=SIDE, reg=False, events=recorder, **EVERY_STEP)
    session = session_of(job, recorder, tmp_path / "run")
    job.should_stop = lambda: True
    session.validate()
    assert told(recorder) == []
    job.should_stop = lambda: False
    session.validate()
    session.validate()
    assert told(recorder) == [0]


def test_a_save_that_was_asked_for_is_measured(make_job, recorder, tmp_path):
    job = make_job(side=SIDE, reg=False, events=recorder, train={"max_steps": 2}, validation={"samples": 2})
    session = session_of(job, recorder, tmp_path / "run")
    append_command(session.outputs.run, "save")
    train(job, session.report, session.between_steps)
    assert told(recorder) == [1]


def test_finetuning_has_no_class_that_could_drift(make_job, pictures):
    job = make_job(side=SIDE, reg=False, **EVERY_STEP)
    scan = scan_dataset(job.config.dataset, [])
    assert class_prompts(job.config, scan) == ("frog",)
    method = job.config.method.model_copy(update={"captions": "finetune"})
    assert class_prompts(job.config.model_copy(update={"method": method}), scan) == ()
    validation = Validation(job, measure_of(job.config, scan, job.model, job.device))
    assert validation.numbers().drift is None


def test_held_out_pictures_are_what_is_measured(make_job):
    job = make_job(side=SIDE, reg=False, dataset={"held_out": 0.4}, validation={"samples": 5})
    scan = scan_dataset(job.config.dataset, [])
    assert len({item.picture.path for item in job.samples.items if not item.is_class}) == 3
    measure = measure_of(job.config, scan, job.model, job.device)
    assert measure.held_out == len(scan.held_out) == 2
    assert len({sample.latents.sum().item() for sample in measure.samples}) == 2
    assert sorted(sample.timestep for sample in measure.samples) == [100, 300, 500, 700, 900]


def test_zero_samples_measure_nothing(make_job):
    job = make_job(side=SIDE, reg=False, validation={"samples": 0})
    assert measure_of(job.config, scan_dataset(job.config.dataset, []), job.model, job.device) is None


def test_what_the_start_model_predicts_is_asked_once_for_all_starts(make_job, tmp_path):
    job, record = make_job(side=SIDE, reg=False, **EVERY_STEP), tmp_path / "predictions.safetensors"
    scan = scan_dataset(job.config.dataset, job.config.concept, method=job.config.method.captions)
    measure = measure_of(job.config, scan, job.model, job.device)
    passes = []
    job.model.unet.register_forward_pre_hook(lambda *_: passes.append(1))

    def start(measure=measure):
        passes.clear()
        validation = Validation.of(job, measure, record)
        return validation, len(passes)

    first, asked = start()
    again, none = start()
    assert (asked > 0, none) == (True, 0)
    assert again.numbers() == first.numbers()
    whole = record.read_bytes()
    record.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # damaged: made anew
    damaged, asked_anew = start()
    assert (asked_anew, start()[1]) == (asked, 0)
    assert damaged.numbers() == first.numbers()
    assert start(replace(measure, mark="another"))[1] == asked
    record.unlink()
    record.mkdir()  # cannot be written
    assert start()[1] == asked
    assert Validation.of(job, measure).numbers() == first.numbers()


@pytest.mark.parametrize("kept", ["ram", "disk"])
def test_no_picture_is_encoded_twice(kept, make_job, recorder, tmp_path, monkeypatch):
    cache, tables = tmp_path / "cache", {**EVERY_STEP, "dataset": {"cache_latents": kept}}
    config = make_job(side=SIDE, **tables).config
    scan = scan_dataset(config.dataset, config.concept, method=config.method.captions)
    model, cpu = load_model(config.model), torch.device("cpu")
    alone = measure_of(config, scan, model, cpu)  # without a cache
    shutil.rmtree(cache, ignore_errors=True)
    honest, encoded = trainer_core.data.cache.encode, []

    def counted(vae, pixels):
        encoded.append(1)
        return honest(vae, pixels)

    monkeypatch.setattr(trainer_core.data.cache, "encode", counted)
    measure = measure_of(config, scan, model, cpu, cache)
    assert all(
        torch.equal(one.latents, other.latents) for one, other in zip(measure.samples, alone.samples, strict=True)
    )
    assert len(encoded) == 2  # samples
    job = make_job(side=SIDE, events=recorder, encoded=measure.encoded, **tables)
    pictures = {item.picture.path for item in job.samples.items}
    assert len(encoded) == len(pictures) == 8
    if kept == "disk":
        measure_of(config, scan, model, cpu, cache)
        assert len(encoded) == 8
