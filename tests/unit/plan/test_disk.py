"""The disk that a run needs, and places where it cannot write."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy
import pytest

from trainer_core.disk import why_not_writable
from trainer_core.errors import ExitCode
from trainer_core.room import SPARE_BYTES

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):
    """Set the free bytes of every disk."""

    def set_free(size: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**15, 0, size))

    return set_free


def test_models_keep_the_start_models_type_unless_another_is_asked_for(plan, elements):
    total = sum(elements.values())
    assert plan().disk.model_bytes == 2 * total
    assert plan(save={"precision": "float"}).disk.model_bytes == 4 * total
    own = {"precision": "float", "unet_precision": "fp16"}
    assert plan(save=own).disk.model_bytes == 4 * total - 2 * elements["unet"]
    assert plan(save={"vae_precision": "float"}).disk.model_bytes == 2 * total + 2 * elements["vae"]


def test_every_preview_of_a_prompt_counts(plan):
    sample = {"prompts": [{"prompt": "frog", "width": 64, "height": 128}], "every_n_steps": 10}
    once = plan(sample=sample).disk.previews
    assert once > 0
    assert plan(sample={**sample, "num_per_prompt": 3}).disk.previews == 3 * once


def test_a_folder_for_logs_that_cannot_be_written_is_named(plan, tmp_path):
    (tmp_path / "file").touch()
    made = plan(log={"tensorboard": True, "dir": str(tmp_path / "file" / "logs")})
    assert any("name another folder in log.dir" in problem for error in made.errors for problem in error.problems)


def test_unused_ema_weights_do_not_count(plan, model_file, elements):
    ema = {f"model_ema.{number}": numpy.zeros(1000, numpy.float32) for number in range(200)}
    made = plan(model={"base": str(model_file("ema.safetensors", **ema))})
    assert made.disk.model_bytes == 2 * sum(elements.values())
    assert any("EMA" in note for note in made.notes)


def test_a_vae_from_elsewhere_counts_too(plan, model_file, elements):
    without, vae = model_file("no-vae.safetensors", without="first_stage"), model_file("vae.safetensors")
    made = plan(model={"base": str(without), "vae": str(vae)})
    assert made.errors == ()
    assert made.disk.model_bytes > 2 * sum(elements.values())


@pytest.mark.parametrize(
    ("tables", "bytes_each", "trains_text"),
    [
        ({"optimizer": {"type": "adamw"}}, 4 + 8, True),
        ({}, 4 + 2, True),
        ({"memory": {"mixed_precision": "bf16", "full_bf16": True}}, 2 + 2, True),
        ({"text_encoder": {"train": False}}, 4 + 2, False),
        ({"optimizer": {"type": "lion8bit"}}, 4 + 1, True),
        ({"optimizer": {"type": "prodigy", "learning_rate": 1.0}, "ema": {"enable": True}}, 4 + 16 + 4, True),
    ],
)
def test_a_checkpoint_holds_trained_weights_and_the_state_of_the_optimizer(
    plan, elements, tables, bytes_each, trains_text
):
    disk = plan(**tables, save={"state_every_minutes": 0}).disk
    trained = elements["unet"] + elements["text_encoder"] * trains_text
    assert disk.num_checkpoints == 1  # only a stop writes one
    assert disk.checkpoints == trained * bytes_each
    rolling = plan(**tables).disk
    assert (rolling.num_checkpoints, rolling.checkpoints) == (3, 3 * disk.checkpoints)
    assert plan(**tables, train={"max_steps": 2}).disk.num_checkpoints == 2


def test_a_lora_is_small(plan):
    """Of a model whose header does not tell all shapes, as those of SD 1.x: U-Net and text encoder."""
    lora = {
        "method": {"train": "lora"},
        "network": {"rank": 8},
        "save": {"precision": "fp16", "state_every_minutes": 0},
    }
    disk = plan(**lora).disk
    numbers = 8 * (423_936 + 165_888)
    assert disk.model_bytes == 2 * numbers
    assert disk.checkpoints == numbers * (4 + 2)
    made = plan(**{**lora, "save": {"every_n_steps": 100, "output_name": "frog"}})
    assert made.disk.model_bytes == 4 * numbers  # as it is trained
    assert made.saves.final == "frog.safetensors"
    wide = plan(**{**lora, "network": {"rank": 8, "conv_rank": 4}, "text_encoder": {"train": False}}).disk
    assert wide.model_bytes == 2 * (8 * 506_816 + 4 * 544_000)


def test_saves_on_the_way_bring_models_and_up_to_three_checkpoints(plan):
    disk = plan(train={"max_steps": 100}, save={"every_n_steps": 10, "keep_last": 2}).disk
    assert (disk.num_models, disk.num_checkpoints) == (3, 3)
    assert disk.models == 3 * disk.model_bytes


def test_latents_on_disk_and_previews_count(plan):
    disk = plan(dataset={"cache_latents": "disk"}).disk
    assert disk.cache == 8 * 8 * 8 * 2 * 4 * 4  # 8 pictures, 8 x 8 cells, mean and deviation, 4 channels, float32
    assert plan(sample={"prompts": [{"prompt": "x", "width": 128}]}).disk.previews == 128 * 64 * 3


def test_a_ckpt_is_estimated_high_and_its_copy_must_fit(plan, tmp_path, free):
    ckpt = tmp_path / "model.ckpt"
    ckpt.write_bytes(b"x")
    os.truncate(ckpt, 4_270_000_000)
    disk = plan(model={"base": str(ckpt)}).disk
    assert not disk.exact
    assert 4_200_000_000 < disk.model_bytes <= 4_300_000_000
    free(4_000_000_000)
    problems = plan(model={"base": str(ckpt)}).disk.problems
    assert any("TMPDIR" in problem for problem in problems)


def test_a_hub_id_is_not_fetched_and_that_is_said(plan):
    made = plan(model={"base": "owner/name"})
    assert made.errors == ()
    assert (made.disk.models, made.disk.checkpoints) == (0, 0)
    assert any("Hub" in note and "not counted" in note for note in made.notes)


def test_a_full_disk_is_a_problem_with_both_numbers(plan, free):
    needed = plan().disk.places[0].needed
    free(needed)
    assert plan().errors == ()
    free(needed - 1)
    (error,) = plan().errors
    assert error.code is ExitCode.DISK
    assert f"{needed:,} bytes" in error.problems[0]
    assert "free" in error.problems[0]


def test_what_a_resumed_run_has_written_already_needs_no_further_room(config, tmp_path):
    from trainer_core.plan import make_plan

    run = tmp_path / "runs" / "r"
    run.mkdir(parents=True)
    (run / "state").write_bytes(bytes(1000))
    settings = config()
    fresh, resumed = (make_plan(settings, run.parent, run_dir=folder).disk for folder in (None, run))
    assert fresh.places[0].needed - resumed.places[0].needed == 1000


def test_one_disk_must_take_models_and_the_rest_together(plan, tmp_path):
    (place,) = plan(save={"output_dir": str(tmp_path / "models")}).disk.places
    made = plan()
    assert place.needed == made.disk.total + SPARE_BYTES


@pytest.mark.parametrize("setting", ["runs", "output"])
@pytest.mark.parametrize("below", ["", "below/this"])
def test_a_file_in_the_place_of_a_folder(plan, tmp_path, setting, below):
    (tmp_path / "taken").write_text("")
    place = tmp_path / "taken" / below
    made = plan(runs_dir=place) if setting == "runs" else plan(save={"output_dir": str(place)})
    (error,) = made.errors
    assert error.code is ExitCode.DISK
    assert "taken is not a folder" in error.problems[0]
    assert ("--runs-dir" if setting == "runs" else "save.output_dir") in error.problems[0]


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert why_not_writable(tmp_path / "new" / "folder") is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "no permission" in (why_not_writable(tmp_path / "new") or "")


def test_a_link_to_nowhere_is_no_folder(tmp_path: Path):
    (tmp_path / "link").symlink_to("nowhere")
    assert "not a folder" in (why_not_writable(tmp_path / "link") or "")


def test_what_is_free_and_what_is_needed_read_otherwise(plan, free):
    needed = plan().disk.places[0].needed
    free(needed - 1000)
    (problem,) = plan().disk.problems
    assert f"up to {needed:,} bytes there" in problem
    assert f"has {needed - 1000:,} bytes free" in problem
