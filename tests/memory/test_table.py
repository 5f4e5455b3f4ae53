"""Predictions from the table: in step with the schema, and following every setting that it says it follows."""

from typing import Any, get_args

import pytest

from dbtui.doctor.graphics import Gpu
from dbtui.memory.words import fits, prediction_lines
from dbtui.presets.inspect import inspect
from dbtui.presets.library import shipped
from trainer_core.config.fields import all_fields
from trainer_core.config.learning_rules import ONLY_FLOAT32
from trainer_core.config.schema import Config, Optimizer
from trainer_core.memory.predict import predict
from trainer_core.memory.prediction import ALLOWANCE
from trainer_core.memory.row import DECIDING, ONLY_REHEARSED, row_of, rows
from trainer_core.memory.table import shipped_table
from trainer_core.models.sizes import ELEMENTS, TEXT_NUMBERS

GB = 2**30
OTHERWISE_DECIDED = {
    "dataset.cache_text": "followed: it keeps the text encoder on the device",
    "memory.auto": "what it changes are other settings",
}
"""Settings about memory that are in neither list, and why."""


def config(**tables: dict[str, Any]) -> Config:
    usual: dict[str, Any] = {"mixed_precision": "bf16", "gradient_checkpointing": True}
    tables["memory"] = usual | tables.get("memory", {})
    tables.setdefault("sample", {"prompts": [{"prompt": "a frog"}]})
    return Config.model_validate({"schema": 1, **tables})


def phases(family: str = "sd1", gpus: int = 1, **tables: dict[str, Any]) -> dict[str, int]:
    found = predict(config(**tables), family, gpus=gpus)
    assert found is not None
    return dict(found.phases)


LORA = {"method": {"train": "lora"}, "memory": {"gradient_checkpointing": False}}
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dataset.cache_latents": ({}, {"dataset": {"cache_latents": "off"}}),
    "ema.enable": ({}, {"ema": {"enable": True}}),
    "memory.base_dtype": (
        {"method": {"train": "lora"}},
        {"method": {"train": "lora"}, "memory": {"base_dtype": "int8"}},
    ),
    "memory.fsdp": ({"optimizer": {"type": "adamw"}}, {"optimizer": {"type": "adamw"}, "memory": {"fsdp": True}}),
    "memory.full_bf16": ({}, {"memory": {"full_bf16": True}}),
    "memory.full_fp16": (
        {"memory": {"mixed_precision": "fp16"}},
        {"memory": {"mixed_precision": "fp16", "full_fp16": True}},
    ),
    "memory.fused_backward": ({}, {"memory": {"fused_backward": True}}),
    "memory.gradient_checkpointing": ({}, {"memory": {"gradient_checkpointing": False}}),
    "memory.mixed_precision": (
        {"train": {"batch_size": 16}},
        {"train": {"batch_size": 16}, "memory": {"mixed_precision": "no"}},
    ),
    "memory.stream_state": (
        {"optimizer": {"type": "adamw"}},
        {"optimizer": {"type": "adamw"}, "memory": {"stream_state": True}},
    ),
    "memory.stream_weights": (LORA, {**LORA, "memory": {**LORA["memory"], "stream_weights": True}}),
    "method.train": ({}, {"method": {"train": "lora"}}),
    "network.conv_rank": (LORA, {**LORA, "network": {"conv_rank": 8}}),
    "network.rank": (LORA, {**LORA, "network": {"rank": 64}}),
    "optimizer.type": ({}, {"optimizer": {"type": "adafactor"}}),
    "text_encoder.train": ({}, {"text_encoder": {"train": False}}),
    "train.batch_size": ({}, {"train": {"batch_size": 2}}),
    "train.gradient_accumulation": (
        {"train": {"batch_size": 16}},
        {"train": {"batch_size": 16, "gradient_accumulation": 2}},
    ),
}


def test_every_setting_about_memory_is_known_here():
    """A new one must be followed, or named as one that only a rehearsal follows."""
    about_memory = {key for key, field in all_fields().items() if field.table == "memory"}
    about_memory |= {key for key, field in all_fields().items() if field.about.affects == "memory"}
    assert about_memory <= {*DECIDING, *ONLY_REHEARSED, *OTHERWISE_DECIDED}
    assert set(DECIDING) <= set(all_fields())


@pytest.mark.parametrize("key", DECIDING)
def test_what_decides_changes_the_prediction(key: str):
    before, after = OTHERS[key]
    gpus = 2 if key == "memory.fsdp" else 1
    assert phases(gpus=gpus, **before) != phases(gpus=gpus, **after)


@pytest.mark.parametrize("family", ["sd1", "sd2"])
@pytest.mark.parametrize("optimizer", get_args(Optimizer.model_fields["type"].annotation))
def test_every_optimizer_is_in_the_table(family: str, optimizer: str):
    for full in (False, True):
        if full and optimizer in ONLY_FLOAT32:
            continue
        made = config(optimizer={"type": optimizer}, memory={"full_bf16": full})
        assert predict(made, family) is not None


def test_every_row_is_in_the_table():
    assert [row.key for row in rows() if shipped_table().passes(row) is None] == []


def test_more_pictures_need_more():
    needs = [phases(train={"batch_size": count})["passes"] for count in (1, 2, 4, 8, 16)]
    assert needs == sorted(needs)
    assert needs[-1] > needs[0]


def test_what_was_not_rehearsed_has_no_answer():
    assert predict(config(memory={"attention": "sliced"}), "sd1") is None
    assert predict(config(memory={"stream_activations": True}), "sd1") is None
    assert predict(config(memory={"mixed_precision": "no", "gradient_checkpointing": False}), "sd1") is None


@pytest.mark.parametrize("preset", shipped(), ids=lambda preset: preset.name)
def test_shipped_presets_fit_into_their_card(preset):
    """With a tenth to spare, as they promise."""
    made = inspect(preset).config
    found = predict(made, made.model.family)
    assert found is not None
    assert found.needed <= 0.9 * made.preset.min_vram_gb * GB


BETWEEN = {
    "sd21-8gb": {"train": {"batch_size": 3}, "dataset": {"resolution": (640, 512)}},
    "sd15-16gb": {"text_encoder": {"train": False}, "optimizer": {"type": "lion8bit"}},
    "sd15-24gb": {"train": {"batch_size": 2, "gradient_accumulation": 2}, "memory": {"full_bf16": True}},
    "sd21-lora-8gb": {"network": {"rank": 64}, "memory": {"gradient_checkpointing": False}},
    "sd15-lora-8gb": {"memory": {"stream_weights": True}},
    "sd21-lora-12gb": {"memory": {"stream_weights": True, "stream_state": True, "base_dtype": "int8"}},
    "sd15-12gb": {"memory": {"stream_state": True, "fused_backward": True}, "optimizer": {"type": "adamw"}},
    "sd15-6gb": {"ema": {"enable": True}, "sample": {"prompts": [{"prompt": "a frog", "width": 768}]}},
}
"""Presets with what puts them between the table's points."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BETWEEN)
def test_the_table_against_rehearsals(name: str):
    from trainer_core.memory.exact import rehearse

    (preset,) = (each for each in shipped() if each.name == name)
    values = inspect(preset).config.model_dump(by_alias=True)
    for table, changed in BETWEEN[name].items():
        values[table] |= changed
    made = Config.model_validate(values)
    exact = rehearse(made, made.model.family, made.dataset.resolution)
    found = predict(made, made.model.family)
    assert found is not None
    assert dict(found.phases) == {phase: pytest.approx(sum(exact[phase].values()), rel=0.1) for phase in exact}


def test_one_of_several_gpus_has_its_part_of_the_batch():
    usual, tables = {"dataset": {"cache_latents": "disk"}}, {"train": {"batch_size": 5}}
    assert phases(gpus=2, **usual, **tables) == phases(**usual, train={"batch_size": 3})


def test_fsdp_leaves_each_gpu_its_part_of_weights_gradients_and_state():
    usual: dict[str, Any] = {"optimizer": {"type": "adamw"}, "train": {"batch_size": 8}}
    cut = {**usual, "memory": {"fsdp": True}}
    assert phases(gpus=1, **usual) == phases(gpus=1, **cut)  # one GPU is refused elsewhere
    for gpus in (2, 4, 8):
        whole, part = phases(gpus=gpus, **usual), phases(gpus=gpus, **cut)
        numbers = ELEMENTS["sd1"]["unet"] + TEXT_NUMBERS["sd1"]
        assert part["update"] == pytest.approx(whole["update"] - 16 * numbers * (1 - 1 / gpus), rel=0.02)
        assert part["passes"] < whole["passes"]
    found = predict(config(**cut), "sd1", gpus=2)
    assert found is not None
    assert "about" in (line := prediction_lines(found, None)[0])
    assert "per GPU" in line
    assert "what memory.fsdp leaves to each of 2 GPUs is computed, not measured" in found.notes


def test_a_row_is_that_of_its_configuration():
    made = config(method={"train": "lora"}, memory={"base_dtype": "fp8", "full_bf16": True})
    assert row_of(made, "sd2").key == "sd2-lora-mixed-checkpointed-8-bit"


def test_words_against_a_card():
    found = predict(config(), "sd1")
    small, large = Gpu("Card", None, 8.0, 7.0), Gpu("Card", None, 24.0, None)
    assert (fits(found, None), fits(found, small), fits(found, large)) == (None, False, True)
    first, second, *_ = prediction_lines(found, small)
    assert "more than the 7.0 GB free here" in first
    assert "not measured" in second
    assert found.needed >= found.phases[found.worst] + ALLOWANCE.context
