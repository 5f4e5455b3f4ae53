"""`dbtui preset import` of OneTrainer's settings: whole and sparse, of all versions, with concepts and samples."""

import json
from pathlib import Path

import pytest

from dbtui.cli.app import run
from dbtui.presets.importing.read import import_text
from tests.presets.importing_tools import FILES, imported_of, reasons, run_of, said, text_of
from trainer_core.config.reader import check_preset
from trainer_core.errors import UserError

LORA, OLD = json.loads(text_of("onetrainer_lora.json")), json.loads(text_of("onetrainer_old.json"))
SPARSE = {
    "model_type": "STABLE_DIFFUSION_15",
    "training_method": "FINE_TUNE",
    "batch_size": 4,
    "resolution": "512",
}


@pytest.mark.parametrize("read", [LORA, OLD], ids=["lora", "old"])
def test_every_key_is_taken_over_or_has_its_reason(read):
    found, _ = imported_of(read)
    assert not found.unknown
    told = said(found)
    for name, value in read.items():
        inner = value if name in ("unet", "text_encoder", "vae", "optimizer") and isinstance(value, dict) else None
        names = [f"{name}.{key}" for key in inner if key != "__version"] if inner else [name]
        names = (
            [each.replace("optimizer_", "optimizer.", 1) for each in names]
            if name != "optimizer_defaults"
            else names
        )
        names = ["optimizer.optimizer"] if name == "optimizer" and inner is None else names
        if name not in ("concepts", "samples"):
            assert set(names) <= told


def test_every_field_of_a_concept_and_a_sample_is_told():
    found, _ = imported_of(LORA)
    concept, sample = LORA["concepts"][0], LORA["samples"][0]
    names = {f"concepts.{name}" for name in concept if name not in ("__version", "image", "text")}
    names |= {
        f"concepts.{part}.{name}" for part in ("image", "text") for name in concept[part] if name != "__version"
    }
    names |= {f"samples.{name}" for name in sample if name != "__version"}
    assert names <= said(found)


def test_a_lora():
    found, config = imported_of(LORA)
    network = config.network
    assert (config.method.train, config.method.captions, config.model.family) == ("lora", "finetune", "sd1")
    assert (network.rank, network.alpha, network.conv_rank, network.conv_alpha) == (32, 16, 32, 16)
    assert (network.dropout, config.dataset.caption_dropout_rate, config.model.clip_skip) == (0.1, 0.05, 2)
    assert (config.train.epochs, config.train.batch_size, config.train.gradient_accumulation) == (40, 4, 2)
    assert (config.optimizer.type, config.optimizer.betas) == ("adamw8bit", (0.9, 0.98))
    assert (config.loss.min_snr_gamma, config.loss.max_timestep) == (5, 900)
    assert (config.memory.mixed_precision, config.save.precision) == ("bf16", "fp16")
    assert (config.save.every_n_epochs, config.save.state_every_minutes) == (5, 60)
    assert (config.dataset.flip_aug, config.dataset.shuffle_caption, config.dataset.keep_tokens) == (True, True, 2)
    assert "a secret stands in no file" in reasons(found)["secrets"]
    assert "hf_0123456789" not in json.dumps(reasons(found))


def test_numbers_that_count_otherwise_there():
    """Rates follow the root of the batch, steps are batches, the average moves every fifth step."""
    found, config = imported_of(LORA)
    assert config.optimizer.learning_rate == pytest.approx(0.0004 * (4 * 2) ** 0.5, rel=1e-5)
    assert config.text_encoder.learning_rate == pytest.approx(0.0003 * (4 * 2) ** 0.5, rel=1e-5)
    assert config.scheduler.warmup_steps == 50
    assert config.ema.decay**5 == pytest.approx(0.999, rel=1e-6)
    assert run_of(LORA).sample.every_n_steps == 50
    assert any("a step there is a batch" in note for note in found.notes)
    assert found.settings["train.epochs"].option == "epochs 40"
    assert found.settings["scheduler.warmup_steps"].option == "learning_rate_warmup_steps 100.0"


def test_concepts_and_samples_go_into_the_run_file():
    config = run_of(LORA)
    assert [(Path(each.instance_dir).name, each.repeats) for each in config.concept] == [("frog", 3), ("pond", 1)]
    assert [(each.prompt, each.seed, each.width, each.guidance_scale) for each in config.sample.prompts] == [
        ("a frog on a leaf", 42, 512, 6.5),
        ("a pond", 7, 768, 7.0),
    ]
    assert config.save.output_dir.endswith("D:/OneTrainer/models")
    assert config.save.output_name == "my_frog"
    found, config = imported_of(LORA)
    assert not config.concept
    assert not config.sample.prompts
    why = reasons(found)
    assert ("turned off" in why["concepts[3]"], "validation" in why["concepts[4]"]) == (True, True)
    assert "no prompt" in why["samples[3]"]


def test_settings_of_the_first_versions():
    found, config = imported_of(OLD)
    assert (config.method.train, config.model.family, config.model.prediction) == ("full", "sd2", "v")
    assert (config.optimizer.type, config.optimizer.weight_decay, config.optimizer.betas) == (
        "lion",
        0.05,
        (0.9, 0.99),
    )
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (2e-6, 1e-6)
    assert (config.text_encoder.stop_at_epoch, config.model.clip_skip) == (30, 3)
    assert (config.memory.full_fp16, config.memory.gradient_checkpointing) == (True, False)
    assert (config.loss.type, config.loss.min_snr_gamma, config.loss.zero_terminal_snr) == ("l1", 5, True)
    assert (config.save.format, config.save.every_n_epochs, config.dataset.bucket.enable) == ("ckpt", 2, False)
    assert (config.scheduler.type, config.scheduler.warmup_steps) == ("constant_with_warmup", 200)
    assert "optimizer.weight_decay counts" in reasons(found)["weight_decay 0.01"]
    assert "--concepts concepts.json" in reasons(found)["concept_file_name training_concepts/concepts.json"]


def test_what_a_sparse_preset_leaves_open_is_the_default_there():
    found, config = imported_of(SPARSE)
    assert (config.train.epochs, config.optimizer.type, config.optimizer.learning_rate) == (100, "adamw", 3e-6)
    assert (config.scheduler.type, config.scheduler.warmup_steps) == ("constant_with_warmup", 200)
    assert (config.memory.mixed_precision, config.memory.gradient_checkpointing) == ("fp16", True)
    assert (config.text_encoder.stop_at_epoch, config.dataset.cache_latents) == (30, "disk")
    assert not found.settings["train.epochs"].option


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        ({"learning_rate_warmup_steps": 0}, "scheduler.type", "constant"),
        (
            {"learning_rate_warmup_steps": "0.1", "learning_rate_scheduler": "LINEAR"},
            "scheduler.warmup_percent",
            10,
        ),
        (
            {"learning_rate_scheduler": "COSINE_WITH_HARD_RESTARTS", "learning_rate_cycles": 3.0},
            "scheduler.cycles",
            3,
        ),
        ({"aspect_ratio_bucketing": False}, "dataset.bucket.enable", False),
        ({"image_caching": False}, "dataset.cache_latents", "off"),
        ({"latent_caching": False}, "dataset.cache_latents", "off"),
        ({"gradient_checkpointing": "OFF"}, "memory.gradient_checkpointing", False),
        ({"gradient_checkpointing": "CPU_OFFLOADED"}, "memory.gradient_checkpointing", True),
        ({"gradient_checkpointing": "CPU_OFFLOADED"}, "memory.stream_activations", True),
        ({"unet": {"gradient_checkpointing": False}}, "memory.gradient_checkpointing", False),
        ({"text_encoder": {"train": False}}, "text_encoder.train", False),
        ({"text_encoder": {"stop_training_after_unit": "NEVER"}}, "text_encoder.stop_at_epoch", None),
        (
            {"text_encoder": {"stop_training_after": 9, "stop_training_after_unit": "STEP"}},
            "text_encoder.stop_at_step",
            9,
        ),
        ({"optimizer": {"optimizer": "ADAMW_8BIT", "is_paged": True}}, "optimizer.type", "paged_adamw8bit"),
        ({"optimizer": "PRODIGY"}, "optimizer.type", "prodigy"),
        ({"clip_grad_norm": None}, "optimizer.max_grad_norm", 0),
        ({"ema": "GPU"}, "ema.decay", pytest.approx(0.999**0.2, rel=1e-6)),
        ({"ema": "GPU", "ema_decay": 0.99, "ema_update_step_interval": 1}, "ema.decay", 0.99),
        ({"loss_weight_fn": "MIN_SNR_GAMMA"}, "loss.min_snr_gamma", 5),
        ({"loss_weight_fn": "DEBIASED_ESTIMATION"}, "loss.debiased_estimation", True),
        ({"model_type": "STABLE_DIFFUSION_21", "text_encoder_layer_skip": 1}, "model.clip_skip", 3),
        ({"resolution": "512x768"}, "dataset.resolution", (512, 768)),
        ({"save_every": "2", "save_every_unit": "STEP"}, "save.every_n_steps", 2),
        ({"backup_after": 90, "backup_after_unit": "SECOND"}, "save.state_every_minutes", 1.5),
        ({"output_model_format": "DIFFUSERS"}, "save.format", "diffusers"),
        ({"unet": {"weight_dtype": "BFLOAT_16"}, "train_dtype": "BFLOAT_16"}, "memory.full_bf16", True),
        ({"training_method": "LORA", "layer_filter_preset": "attn-mlp"}, "network.conv_rank", 0),
        ({"training_method": "LORA"}, "network.alpha", 1.0),
        ({"training_method": "LORA", "unet": {"weight_dtype": "FLOAT_8"}}, "memory.base_dtype", "fp8"),
        ({"training_method": "LORA", "weight_dtype": "INT_W8A8"}, "memory.base_dtype", "int8"),
        ({"training_method": "LORA", "weight_dtype": "BFLOAT_16"}, "memory.base_dtype", "same"),
    ],
)
def test_values(more, key, value):
    _, config = imported_of({**SPARSE, **more})
    inner = config
    for part in key.split("."):
        inner = getattr(inner, part)
    assert inner == value


@pytest.mark.parametrize(
    ("more", "option", "reason"),
    [
        ({"learning_rate": "fast"}, "learning_rate fast", "is not a number"),
        ({"epochs": -3}, "epochs -3", "must be a whole number from 1"),
        ({"resolution": "512,768"}, "resolution 512,768", "several sizes"),
        ({"resolution": "500"}, "resolution 500", "multiple of 64"),
        ({"learning_rate_scheduler": "REX"}, "learning_rate_scheduler REX", "has no counterpart"),
        ({"optimizer": {"optimizer": "CAME"}}, "optimizer.optimizer CAME", "has no counterpart"),
        ({"optimizer": {"optimizer": "DADAPT_LION"}}, "optimizer.optimizer DADAPT_LION", "prodigy"),
        ({"custom_learning_rate_scheduler": "a.b.C"}, "custom_learning_rate_scheduler a.b.C", "names no code"),
        ({"masked_training": True}, "masked_training true", "masks are not trained with"),
        ({"mae_strength": 1.0}, "mae_strength 1.0", "one of several"),
        ({"loss_weight_fn": "P2"}, "loss_weight_fn P2", "has no counterpart"),
        ({"timestep_distribution": "LOGIT_NORMAL"}, "timestep_distribution LOGIT_NORMAL", "drawn evenly"),
        ({"unet": {"train": False}}, "unet.train false", "always learns"),
        ({"sample_after": 3, "samples": [{"prompt": "a"}]}, "sample_after 3", "is a time"),
        ({"training_method": "LORA", "layer_filter": "attn2"}, "layer_filter attn2", "chooses layers"),
        ({"training_method": "LORA", "lora_decompose": True}, "lora_decompose true", "networks other than"),
        ({"training_method": "LORA", "weight_dtype": "NFLOAT_4"}, "weight_dtype NFLOAT_4", "same, int8 or fp8"),
        ({"weight_dtype": "INT_8"}, "weight_dtype INT_8", "float32, fp16 or bf16"),
        ({"learnig_rate": 1}, "learnig_rate 1", "did you mean learning_rate?"),
        ({"epoch": 1}, "epoch 1", "epochs"),
        ({"concepts": [{"path": "a", "balancing": 0.5}]}, "concepts.balancing 0.5", "is not a whole number"),
        ({"concepts": [{"path": "a", "text": {"prompt_source": "concept"}}]},
         "concepts.text.prompt_source concept", "one file"),
        ({"concepts": [{"path": "a", "colour": 1}]}, "concepts.colour 1", "no option of a concept"),
        (
            {"concepts": [{"path": "a", "image": {"enable_random_flip": True}}, {"path": "b"}]},
            "concepts.image.enable_random_flip true",
            "not every concept says the same",
        ),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_told_with_the_reason(more, option, reason):
    found, _ = imported_of({**SPARSE, **more})
    assert reason in reasons(found)[option]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"training_method": "EMBEDDING"}, "EMBEDDING"),
        ({"model_type": "FLUX_DEV_1"}, "FLUX_DEV_1"),
        ({"model_type": "STABLE_DIFFUSION_15_INPAINTING"}, "another kind of model"),
        ({"training_method": "LORA", "peft_type": "LOKR"}, "LOKR"),
        ({"model_type": 3}, "no text"),
    ],
)
def test_what_cannot_be_trained_is_said(more, problem):
    with pytest.raises(UserError, match=problem):
        import_text(json.dumps({**SPARSE, **more}), "the file")


def test_lists_that_are_given_beside_the_settings():
    lists = {"concepts": json.dumps(LORA["concepts"]), "samples": json.dumps(LORA["samples"])}
    config = run_of(SPARSE, **lists)
    assert (len(config.concept), len(config.sample.prompts)) == (2, 2)
    for text in (
        '{"learning_rate": 1}',
        "train_db.py --seed=1",
        "seed = 1\n",
        '{"num_train_epochs": 1, "src": ""}',
    ):
        with pytest.raises(UserError, match="settings of OneTrainer name"):
            import_text(text, "the file", imported_beside(samples="[]"))
    with pytest.raises(UserError, match="holds no list"):
        import_text(json.dumps(SPARSE), "the file", imported_beside(concepts="{}"))


def imported_beside(**lists):
    from dbtui.presets.importing.settings_json import Beside

    return Beside(**lists)


def test_lists_alone():
    found, config = imported_of(LORA["concepts"])
    assert (config.dataset.flip_aug, config.train.epochs) == (True, None)
    assert [Path(each.instance_dir).name for each in run_of(LORA["concepts"]).concept] == ["frog", "pond"]
    assert len(run_of(LORA["samples"]).sample.prompts) == 2
    assert set(found.settings) <= {
        key for key in found.settings if key.startswith(("concept[", "dataset.", "method."))
    }


def test_the_second_of_a_list_is_the_one_left_out():
    """A table that the reader refuses whole takes none of the others with it."""
    samples = [{"prompt": "a"}, {"prompt": "b" * 3000, "seed": 4}, {"prompt": "c", "width": 500}, {"prompt": "d"}]
    config = run_of({**SPARSE, "samples": samples})
    assert [(each.prompt, each.width) for each in config.sample.prompts] == [("a", None), ("c", None), ("d", None)]


ABSURD = ["null", "[]", "{}", '"\\u0000"', "1e400", "-1", '"1e999"', "NaN", "true", '[[1], {"a": 2}]', '"\\ud800"']


@pytest.mark.parametrize("value", [*ABSURD, "9" * 400])
def test_absurd_values_are_told_and_nothing_else(value):
    names = [name for name in LORA if name not in ("training_method", "model_type", "peft_type")]
    text = ", ".join(f'"{name}": {value}' for name in names)
    inner = ", ".join(f'"{name}": {value}' for name in LORA["unet"])
    optimizer = ", ".join(f'"{name}": {value}' for name in LORA["optimizer"])
    for more in ("", f', "unet": {{{inner}}}, "text_encoder": {{{inner}}}, "optimizer": {{{optimizer}}}'):
        _, config = imported_of(f'{{"training_method": "LORA", {text}{more}}}')
        assert 0 < config.optimizer.learning_rate <= 10


def test_the_command_takes_lists_beside_a_file(capsys, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(SPARSE))
    (tmp_path / "concepts.json").write_text(json.dumps(LORA["concepts"]))
    run_file = tmp_path / "run.toml"
    arguments = [str(tmp_path / "settings.json"), "--concepts", str(tmp_path / "concepts.json")]
    assert run(["preset", "import", *arguments, "--run-file", str(run_file)]) == 0
    printed = capsys.readouterr()
    assert check_preset(printed.out, "x").train.batch_size == 4
    assert "D:/pictures" not in printed.out
    assert "concept[2].instance_dir" in printed.err
    assert "D:/pictures/pond" in run_file.read_text()
    assert run(["preset", "import", str(FILES / "onetrainer_lora.json")]) == 0
    assert "more (--json names them)" in capsys.readouterr().err
