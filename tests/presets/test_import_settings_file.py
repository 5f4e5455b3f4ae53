"""`dbtui preset import` of settings files: sd-scripts' TOML and the JSON of kohya_ss' pages."""

import json
import re
from pathlib import Path

import pytest

from dbtui.cli.app import run
from dbtui.presets.importing.peers.kohya_ss import FULL, LORA
from dbtui.presets.importing.read import import_text
from dbtui.presets.importing.rules import To
from dbtui.presets.importing.settle import preset_text
from trainer_core.config.fields import all_fields
from trainer_core.config.reader import check_preset
from trainer_core.errors import UserError

FILES = Path(__file__).parent / "settings_files"


def imported_of(text):
    found = import_text(text, "the file")
    return found, check_preset(preset_text(found, {}), "the import")


def text_of(name):
    return (FILES / name).read_text(encoding="utf-8")


def reasons(found):
    return {each.option: each.reason for each in (*found.left, *found.unknown)}


@pytest.mark.parametrize("name", ["kohya_ss_lora.json", "kohya_ss_old.json", "kohya_ss_full.json"])
def test_every_key_is_taken_over_or_has_its_reason(name):
    found, _ = imported_of(text_of(name))
    assert not found.unknown
    options = [
        *(each.option for each in found.settings.values()),
        *(each.option for each in found.left),
        *found.same,
    ]
    said = {option.split(" ")[0] for option in options}
    assert json.loads(text_of(name)).keys() - said <= {"additional_parameters"}


def test_a_lora_of_the_pages():
    found, config = imported_of(text_of("kohya_ss_lora.json"))
    network = config.network
    assert (config.method.train, network.rank, network.alpha) == ("lora", 32, 16)
    assert (network.conv_rank, network.conv_alpha, network.rank_dropout) == (8, 4, 0.1)
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (1e-4, 5e-5)
    assert (config.optimizer.weight_decay, config.optimizer.betas) == (0.1, (0.9, 0.99))
    assert (config.train.epochs, config.train.batch_size, config.train.gradient_accumulation) == (12, 3, 2)
    assert (config.scheduler.warmup_percent, config.scheduler.cycles) == (10, 3)
    assert config.text_encoder.stop_at_fraction == 0.5
    assert (config.loss.noise_offset, config.loss.multires_noise_iterations) == (0.05, 0)
    assert (config.loss.min_timestep, config.memory.attention) == (20, "sdpa")
    assert config.dataset.resolution == (512, 768)
    assert found.settings["model.base"].belongs


def test_old_settings_and_numbers_in_quotes():
    found, config = imported_of(text_of("kohya_ss_old.json"))
    assert (config.optimizer.type, config.optimizer.learning_rate) == ("lion", 1e-4)
    assert (config.network.rank, config.network.conv_rank) == (64, 0)
    assert config.memory.attention == "sliced"
    assert "multiple of 64" in reasons(found)["max_resolution 512,650"]


def test_a_whole_model_of_the_pages():
    found, config = imported_of(text_of("kohya_ss_full.json"))
    assert (config.method.train, config.optimizer.type) == ("full", "prodigy")
    assert (config.train.max_steps, config.train.epochs) == (2000, None)
    assert (config.text_encoder.train, found.settings["log.wandb"].value) == (False, True)
    assert found.settings["log.wandb"].belongs
    assert (config.loss.noise_offset, config.loss.multires_noise_iterations) == (0, 6)
    assert "there is no setting" in reasons(found)["optimizer_args d_coef 2"]
    assert "secret" in reasons(found)["wandb_api_key (hidden)"]


def test_a_configuration_of_sd_scripts():
    found, config = imported_of(text_of("sd_scripts.toml"))
    assert (config.model.family, config.model.prediction) == ("sd2", "v")
    assert (config.optimizer.type, config.optimizer.betas) == ("paged_adamw8bit", (0.9, 0.95))
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (2e-6, 1e-6)
    assert (config.scheduler.power, config.scheduler.warmup_percent) == (2, 10)
    assert (config.dataset.keep_tokens, config.dataset.cache_latents) == (2, "off")
    assert (config.memory.attention, config.optimizer.max_grad_norm) == ("sdpa", 0)
    assert "did you mean" in reasons(found)["learning_rat 3"]
    assert "secret" in reasons(found)["wandb_api_key (hidden)"]
    assert "debug_dataset false" in found.same


def test_a_configuration_of_a_lora():
    _, config = imported_of('network_module = "networks.lora"\nnetwork_dim = 8\nunet_lr = 1e-4\n')
    assert (config.method.train, config.network.rank, config.network.alpha) == ("lora", 8, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{ not json", "begins like JSON and is none"),
        ("{" * 100_000, "begins like JSON"),
        ('{"a": ' * 30_000, "begins like JSON"),
        ('{"sdxl": true, "learning_rate": 1}', "another kind of model (sdxl)"),
        ('{"LoRA_type": "LyCORIS/LoHa", "network_dim": 4}', 'of the kind "LyCORIS/LoHa"'),
        ('{"image_folder": "a", "sdxl_checkbox": true}', "another kind of model (sdxl_checkbox)"),
        ('{"name": 1}', "no setting of kohya_ss"),
        ('NAME = "frog"\nSIZE = 3\n', "no command that trains"),
        ('[{"instance_data_dir": "a"}]', "dbtui run PRESET --concepts FILE"),
        ('[{"a": 1}]', "neither concepts nor samples"),
        ("[]", "neither concepts nor samples"),
    ],
)
def test_what_cannot_be_imported_is_said(text, problem):
    with pytest.raises(UserError, match=re.escape(problem)):
        import_text(text, "the file")


def test_the_page_for_fine_tuning():
    read = {
        "image_folder": "C:/pictures",
        "dataset_repeats": "2",
        "train_text_encoder": True,
        "learning_rate": "1e-5",
    }
    found, config = imported_of(json.dumps({**read, "train_dir": "C:/t", "learning_rate_te": 1e-6, "epoch": 3}))
    assert (config.method.captions, config.text_encoder.learning_rate) == ("finetune", 1e-6)
    assert (config.train.epochs, config.dataset.bucket.enable) == (3, True)
    assert (found.settings["concept.instance_dir"].value, found.settings["concept.repeats"].value) == (
        "C:/pictures",
        2,
    )
    assert "beside the pictures" in reasons(found)["train_dir C:/t"]


ABSURD = ["null", "[]", "{}", '"\\u0000"', "1e400", "-1", '"1e999"', "NaN", "true", '[[1], {"a": 2}]', '"\\ud800"']
KEYS = "learning_rate optimizer max_resolution xformers stop_text_encoder_training epoch v2 optimizer_args seed"


@pytest.mark.parametrize("value", [*ABSURD, "9" * 400])
def test_absurd_values_are_told_and_nothing_else(value):
    keys = [*KEYS.split(), "caption_extension", "additional_parameters"]
    _, config = imported_of("{" + ", ".join(f'"{key}": {value}' for key in keys) + "}")
    assert 0 < config.optimizer.learning_rate <= 1


def test_the_command_takes_a_settings_file(capsys):
    assert run(["preset", "import", str(FILES / "kohya_ss_lora.json")]) == 0
    printed = capsys.readouterr()
    assert "C:/train" not in printed.out
    assert check_preset(printed.out, "x").network.rank == 32


@pytest.mark.parametrize("peer", [FULL, LORA], ids=lambda peer: peer.name)
def test_the_tables_name_settings_that_exist(peer):
    for name, rule in peer.options.items():
        keys = {rule.key} if isinstance(rule, To) else set(getattr(rule, "settings", ()))
        assert keys <= set(all_fields()), name


@pytest.mark.parametrize("text", ["schema = 1\n[optimizer]\n", "# mine\nschema=1  # of dbtui\nextends='sd15-8gb'"])
def test_a_file_of_our_own_is_told_from_theirs(text):
    with pytest.raises(UserError, match=r"mine\.toml is a preset or run file of dbtui already"):
        import_text(text, "mine.toml")


def test_settings_of_nobody_name_their_file():
    with pytest.raises(UserError, match=r"theirs\.json holds no setting of kohya_ss, OneTrainer"):
        import_text('{"a": 1}', "theirs.json")


def test_a_whole_number_beyond_every_float_is_told():
    found, config = imported_of(f'{{"max_train_steps": 1{"0" * 400}, "lr_warmup": 3, "learning_rate": 1e-5}}')
    (told,) = [each.reason for each in found.left if each.option.startswith("max_train_steps")]
    assert "is not a finite number" in told
    assert config.optimizer.learning_rate == 1e-5
