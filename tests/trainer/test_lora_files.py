"""LoRA files: other programs' reading of them, their keys and metadata, and going on from one."""

import copy
import json

import pytest
import torch
from safetensors import safe_open

from trainer_core.models.load import load_model
from trainer_core.models.lora.merge import merge_lora
from trainer_core.models.save import save_model
from trainer_core.train.result import save_result

TABLES = {
    "method": {"train": "lora"},
    "network": {"rank": 4, "alpha": 2.0, "conv_rank": 2},
    "optimizer": {"type": "adamw", "learning_rate": 2e-2},
    "train": {"max_steps": 3, "workers": 1},
}


@pytest.mark.parametrize(("family", "prediction"), [("sd1", "epsilon"), ("sd2", "v")])
def test_diffusers_draws_with_it_as_with_our_own_merge(family, prediction, make_job, run_job, tmp_path):
    from diffusers import StableDiffusionPipeline

    job = make_job(family, prediction, **TABLES)
    run_job(job)
    file = save_result(job, tmp_path / "frog").paths[0]
    base, merged = load_model(job.config.model), load_model(job.config.model)
    merge_lora(merged, file)
    pictures = []
    for model in (base, merged):
        folder = save_model(model, tmp_path / "model", format="diffusers").paths[0]
        pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        plain = draw(pipeline)
        if model is base:
            without = plain
            pipeline.load_lora_weights(file)
            plain = draw(pipeline)
        pictures.append(plain)
    with_lora, merged_in = pictures
    assert (with_lora - merged_in).abs().max() < 1e-3
    assert (with_lora - without).abs().max() > 0.05


def draw(pipeline):
    generator = torch.Generator().manual_seed(3)
    output = pipeline(
        "sls frog", height=64, width=64, num_inference_steps=4, generator=generator, output_type="pt"
    )
    return output.images[0]
