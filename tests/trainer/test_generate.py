"""Pictures of every kind of source: the same as diffusers' own pipeline draws, and as what a save would hold."""

import os
import shutil
from dataclasses import replace

import numpy
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from trainer_core.config.schema import Prompt
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate import base as bases
from trainer_core.generate.drawing import draw_all
from trainer_core.generate.request import Request
from trainer_core.generate.source import find_source
from trainer_core.models.load import load_model
from trainer_core.models.save import save_model
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.train.checkpoint import save_checkpoint
from trainer_core.train.preview import draw_pixels
from trainer_core.train.result import save_result
from trainer_core.train.resume import checkpoint_of

LORA = {
    "method": {"train": "lora"},
    "network": {"rank": 2, "conv_rank": 2, "loraplus_lr_ratio": 4.0},
    "optimizer": {"type": "adamw", "learning_rate": 0.02},
}
KINDS = {
    "full": {},
    "full-ema": {"ema": {"enable": True, "decay": 0.5}},
    "schedule-free": {
        "optimizer": {"type": "adamw_schedulefree", "learning_rate": 1e-3},
        "scheduler": {"type": "constant"},
    },
    "lora": {**LORA, "model": {"clip_skip": 2}},
    "lora-ema": {**LORA, "ema": {"enable": True, "decay": 0.5}},
}


@pytest.fixture
def trained_run(make_job, run_job, tmp_path):
    """Return a function that trains two steps and leaves a run with a checkpoint and a model."""

    def make(kind: str) -> RunDirectory:
        job = make_job(reg=False, **KINDS[kind])
        run = create_run(tmp_path / "runs", kind, dump_config(job.config))
        run_job(job, 2)
        with job.kept_weights():
            save_result(job, run.output / "last")
        save_checkpoint(run.checkpoints, checkpoint_of(job))
        return run

    return make


@pytest.fixture
def drawn(tmp_path):
    """Return a function that draws one picture, or two to compare, and returns pixels and notes."""
    events = []

    def draw(model, **options) -> tuple[list[numpy.ndarray], list[str]]:
        events.clear()
        out = tmp_path / "pictures" / os.urandom(4).hex()
        request = Request(model=str(model), prompts=("sls frog",), out=str(out), steps=2, **options)
        draw_all(
            find_source(request.model), request, lambda kind, **fields: events.append({"kind": kind, **fields})
        )
        pictures = [event["path"] for event in events if event["kind"] == "picture"]
        notes = [event["text"] for event in events if event["kind"] == "note"]
        return [numpy.asarray(Image.open(path)) for path in pictures], notes

    return draw


@pytest.mark.parametrize(("family", "prediction"), [("sd1", "epsilon"), ("sd2", "v")])
def test_the_same_picture_as_diffusers_own_pipeline(family, prediction, model_file, tmp_path):
    model = load_model_of(model_file(family, prediction))
    (folder,) = save_model(model, tmp_path / "folder", format="diffusers", precision=None, metadata={}).paths
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    prompt = Prompt(prompt="a photo of sls frog", negative_prompt="blurry", seed=7, steps=6, guidance_scale=5.0)
    theirs = pipeline(
        prompt.prompt,
        negative_prompt=prompt.negative_prompt,
        num_inference_steps=prompt.steps,
        guidance_scale=prompt.guidance_scale,
        width=128,
        height=192,
        generator=torch.Generator("cpu").manual_seed(prompt.seed),
        output_type="pt",
    ).images[0]
    (pixels,) = draw_pixels(
        load_model_of(folder),
        [prompt],
        (128, 192),
        torch.device("cpu"),
        clip_skip=None,
        autocast=torch.autocast("cpu", enabled=False),
    )
    ours = (pixels / 2 + 0.5).clamp(0, 1)
    assert (ours - theirs).abs().max() < 1e-3
    assert theirs.std() > 0.05  # no flat picture


def load_model_of(path):
    from trainer_core.config.schema import Model

    return load_model(Model(base=str(path)))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("full", marks=pytest.mark.slow),
        "full-ema",
        "schedule-free",
        "lora",
        pytest.param("lora-ema", marks=pytest.mark.slow),
    ],
)
def test_a_checkpoint_draws_what_the_saved_model_draws(kind, trained_run, drawn):
    run = trained_run(kind)
    (saved, start), _ = drawn(run.output / "last.safetensors", compare=True)
    (state, start_too), _ = drawn(run.checkpoints / "000002", compare=True)
    assert close(saved, state)
    assert numpy.array_equal(start, start_too)
    assert not close(saved, start)


def close(one, other):
    """A merged average and one added beside the weights round otherwise; a pixel may differ by one."""
    return numpy.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_a_lora_finds_its_start_model(trained_run, drawn, model_file, tmp_path):
    run = trained_run("lora")
    (of_run,), _ = drawn(run.output / "last.safetensors")
    alone = tmp_path / "frog.safetensors"
    shutil.copy(run.output / "last.safetensors", alone)
    with pytest.raises(UserError) as caught:
        drawn(alone)
    assert caught.value.code is ExitCode.MODEL
    assert "sd1-epsilon.safetensors" in str(caught.value)
    assert "--base" in str(caught.value)
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(model_file("sd2", "v"), folder / "a.safetensors")
    with pytest.raises(UserError, match="none of the models in this folder"):
        drawn(alone, base=str(folder))
    shutil.copy(model_file("sd1", "epsilon"), folder / "renamed.safetensors")
    for options in (
        {"base": str(folder)},
        {"candidates": (str(folder),)},
        {"candidates": (str(folder / "a.safetensors"), str(folder / "renamed.safetensors"))},
    ):
        (picture,), notes = drawn(alone, **options)
        assert numpy.array_equal(picture, of_run)
        assert any("found by its hash" in note and "renamed.safetensors" in note for note in notes)
    (picture,), notes = drawn(alone, base=str(model_file("sd1", "epsilon")))
    assert numpy.array_equal(picture, of_run)
    assert not notes


def test_another_file_than_the_one_it_was_trained_on_is_said(trained_run, drawn, tmp_path):
    run = trained_run("lora")
    full = trained_run("full").output / "last.safetensors"
    _, notes = drawn(run.output / "last.safetensors", base=str(full))
    assert any("may look different" in note for note in notes)


def test_a_run_stands_for_the_best_it_has(trained_run, drawn):
    run = trained_run("full")
    assert find_source(str(run.path)).named == str(run.output / "last.safetensors")
    (run.output / "last.safetensors").rename(run.output / "epoch-000001.safetensors")
    source = find_source(str(run.path))
    assert (source.kind, source.step, source.title) == ("checkpoint", 2, "full")
    shutil.rmtree(run.checkpoints)
    assert find_source(str(run.path)).named == str(run.output / "epoch-000001.safetensors")
    shutil.rmtree(run.output)
    with pytest.raises(UserError, match="no model and no checkpoint"):
        find_source(str(run.path))


def test_a_folder_and_a_file_draw_the_same_and_nothing_is_replaced(model_file, drawn, tmp_path):
    file = model_file("sd1", "epsilon")
    (folder,) = save_model(
        load_model_of(file), tmp_path / "m", format="diffusers", precision=None, metadata={}
    ).paths
    (of_file,), _ = drawn(file, size=(64, 64))
    (of_folder,), _ = drawn(folder, size=(64, 64))
    assert numpy.array_equal(of_file, of_folder)
    request = Request(model=str(file), prompts=("a", "b"), out=str(tmp_path / "o"), steps=1, size=(64, 64))
    for more in (request, replace(request, number=2)):
        draw_all(find_source(more.model), more, lambda kind, **fields: None)
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [f"{n:05d}.png" for n in range(1, 7)]


def test_a_checkpoint_that_goes_meanwhile_is_said(trained_run, drawn, monkeypatch):
    run = trained_run("full")
    real = bases.find_base

    def find_and_remove(*arguments):
        shutil.rmtree(run.checkpoints / "000002")
        return real(*arguments)

    monkeypatch.setattr("trainer_core.generate.opened.find_base", find_and_remove)
    with pytest.raises(UserError, match="may have replaced it"):
        drawn(run.checkpoints / "000002")
