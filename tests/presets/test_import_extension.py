"""`dbtui preset import` of sd_dreambooth_extension's db_config.json, of all versions."""

import json

import pytest

from dbtui.presets.importing.read import import_text
from tests.presets.importing_tools import imported_of, reasons, run_of, said, text_of
from trainer_core.errors import UserError

CONFIG = json.loads(text_of("db_config.json"))
OLD = {
    "model_name": "frog",
    "revision": 0,
    "pretrained_model_name_or_path": "models/dreambooth/frog/working",
    "instance_data_dir": "pictures",
    "class_data_dir": "class",
    "instance_prompt": "photo of sls frog",
    "class_prompt": "photo of a frog",
    "num_class_images": 200,
    "max_train_steps": 1000,
    "num_train_epochs": 1,
    "use_8bit_adam": False,
    "not_cache_latents": True,
    "train_text_encoder": False,
    "save_embedding_every": 500,
    "total_steps": 0,
    "seed": 7,
    "adam_beta1": "0.9",
    "adam_beta2": 0.98,
    "adam_weight_decay": 0.02,
}


def test_every_key_is_taken_over_or_has_its_reason():
    found, _ = imported_of(CONFIG)
    assert not found.unknown
    names = set(CONFIG) - {"concepts_list"} | {f"concepts_list.{name}" for name in CONFIG["concepts_list"][0]}
    assert names <= said(found)


def test_a_whole_model():
    found, config = imported_of(CONFIG)
    assert (config.train.epochs, config.optimizer.learning_rate, config.optimizer.weight_decay) == (80, 2e-6, 0.02)
    assert (config.text_encoder.learning_rate, config.text_encoder.stop_at_fraction) == (1e-6, 0.75)
    assert (config.text_encoder.max_token_length, config.model.clip_skip, config.prior.weight) == (150, 2, 0.75)
    assert (config.memory.mixed_precision, config.memory.attention) == ("bf16", "xformers")
    assert (config.save.every_n_epochs, config.save.precision, config.dataset.flip_aug) == (25, "fp16", True)
    assert (config.method.captions, config.dataset.bucket.enable) == ("hybrid", True)
    assert "no settings of a LoRA" in reasons(found)["lora_unet_rank 4"]
    run = run_of(CONFIG)
    (concept,) = run.concept
    assert (concept.identifier, concept.class_, concept.class_prompt) == ("sls", "frog", "photo of a frog")
    assert (run.sample.prompts[0].steps, run.sample.every_n_epochs, run.sample.num_per_prompt) == (20, 5, 2)
    assert "no instance_data_dir" in reasons(found)["concepts_list[2]"]


def test_a_lora():
    _, config = imported_of({**CONFIG, "use_lora": True, "lora_unet_rank": "8", "use_lora_extended": True})
    assert (config.method.train, config.network.rank, config.network.conv_rank) == ("lora", 8, 8)
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (1e-4, 5e-5)


def test_the_first_versions():
    """Concepts stood among the settings, intervals counted steps, and Adam had a switch."""
    found, config = imported_of(OLD)
    assert (config.optimizer.type, config.optimizer.betas) == ("adamw", (0.9, 0.98))
    assert (config.optimizer.weight_decay, config.train.seed, config.text_encoder.train) == (0.02, 7, False)
    assert (config.dataset.cache_latents, config.save.every_n_steps) == ("off", 500)
    assert (config.prior.num_class_images, config.method.captions) == (200, "dreambooth")
    assert any("twice the steps" in note for note in found.notes)
    assert run_of(OLD).concept[0].instance_prompt == "photo of sls frog"


def test_concepts_with_numbers_in_their_names():
    of_two = {"c1_instance_data_dir": "a", "c1_instance_prompt": "[filewords]", "c2_instance_data_dir": "b"}
    read = {"db_model_name": "frog", "db_num_train_epochs": 3, **of_two, "c2_instance_prompt": "[filewords]"}
    found, config = imported_of(read)
    assert (config.method.captions, config.train.epochs) == ("finetune", 3)
    assert len(run_of(read).concept) == 2
    assert not found.unknown


@pytest.mark.parametrize(
    ("more", "option", "reason"),
    [
        ({"optimizer": "AdamW Dadaptation"}, "optimizer AdamW Dadaptation", "prodigy"),
        ({"lr_scheduler": "rex"}, "lr_scheduler rex", "has no counterpart"),
        ({"max_token_length": 300}, "max_token_length 300", "has no counterpart"),
        ({"resolution": "768.5"}, "resolution 768.5", "not a whole number"),
        ({"train_unet": False}, "train_unet false", "always learns"),
        ({"num_train_epochs": "many"}, "num_train_epochs many", "is not a number"),
        ({"stop_text_encoder": 1e999}, "stop_text_encoder inf", "is not a finite number"),
        ({"attention": "sub_quad"}, "attention sub_quad", "has no counterpart"),
        ({"custom_model_name": "x"}, "model_name frog", "custom_model_name counts"),
        ({"a_new_one": 1}, "a_new_one 1", "no option of sd_dreambooth_extension"),
    ],
)
def test_what_is_not_taken_over_is_told_with_the_reason(more, option, reason):
    found, _ = imported_of({**CONFIG, **more})
    assert reason in reasons(found)[option]


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        ({"stop_text_encoder": 0}, "text_encoder.train", False),
        ({"stop_text_encoder": 1.0}, "text_encoder.stop_at_fraction", None),
        ({"model_type": "v2x"}, "model.prediction", "v"),
        ({"model_type": "v2x-512", "v2": True}, "model.clip_skip", 3),
        ({"pad_tokens": False, "max_token_length": 75}, "text_encoder.no_token_padding", True),
        ({"use_ema": True}, "ema.enable", True),
        ({"save_use_epochs": False}, "save.every_n_steps", 25),
    ],
)
def test_values(more, key, value):
    _, config = imported_of({**CONFIG, **more})
    inner = config
    for part in key.split("."):
        inner = getattr(inner, part)
    assert inner == value


def test_another_kind_of_model_is_refused():
    with pytest.raises(UserError, match="another kind of model"):
        import_text(json.dumps({**CONFIG, "model_type": "sdxl"}), "the file")


ABSURD = ["null", "[]", "{}", '"\\u0000"', "1e400", "-1", '"1e999"', "NaN", "true", '[[1], {"a": 2}]', '"\\ud800"']


@pytest.mark.parametrize("value", [*ABSURD, "9" * 400])
def test_absurd_values_are_told_and_nothing_else(value):
    inner = ", ".join(f'"{name}": {value}' for name in CONFIG["concepts_list"][0] if name != "instance_data_dir")
    text = ", ".join(f'"{name}": {value}' for name in CONFIG if name != "model_type")
    for concepts in (value, f'[{{"instance_data_dir": "a", {inner}}}]'):
        _, config = imported_of(f'{{{text}, "concepts_list": {concepts}}}')
        assert 0 < config.optimizer.learning_rate <= 10
