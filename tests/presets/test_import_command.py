"""`dbtui preset import` of commands: those of the seeds, and what people paste."""

import io
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from dbtui.cli.app import run
from dbtui.presets.importing.command import read_commands
from dbtui.presets.importing.read import import_text
from dbtui.presets.importing.settle import preset_text, run_file_text
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.errors import UserError

COMMANDS = sorted((Path(__file__).parent / "commands").glob("*.sh"))
TRAINING = [file for file in COMMANDS if not file.stem.startswith("convert")]
SEEDS = Path(__file__).parents[3] / "shared" / "seeds"  # not in the repository


def imported_of(text):
    found = import_text(text, "the text")
    return found, check_preset(preset_text(found, {}), "the import")


def db(flags, above=""):
    return imported_of(f"{above}\naccelerate launch train_db.py {flags}")


def reasons(found):
    return {each.option: each.reason for each in (*found.left, *found.unknown)}


@pytest.mark.parametrize("file", TRAINING, ids=lambda file: file.stem)
def test_every_flag_of_the_seeds_is_taken_over_or_has_its_reason(file):
    text = file.read_text(encoding="utf-8")
    found, _ = imported_of(text)
    assert not found.unknown
    said = " ".join(
        [*(each.option for each in found.settings.values()), *(each.option for each in found.left), *found.same]
    )
    given = {option.name for command in read_commands(text) for option in (*command.launcher, *command.options)}
    assert len(given) > 10
    assert {name for name in given if f"--{name}" not in said} == set()


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the documents are not here")
def test_the_commands_are_those_of_the_seeds():
    ours = {_bare(file.read_text(encoding="utf-8")) for file in COMMANDS}
    blocks = [
        block
        for file in SEEDS.glob("*.md")
        for block in re.findall(r"```[a-z]*\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)
        if "accelerate launch" in block or re.search(r"python\s\S+\.py", block)
    ]
    assert len(blocks) == 9
    assert {_bare(block) for block in blocks} <= ours


def _bare(text):
    return " ".join(text.split())


def test_the_guides_command_means_the_same_here():
    file = next(file for file in COMMANDS if file.stem == "kohya_buckets")
    _, config = imported_of(file.read_text(encoding="utf-8"))
    assert config.dataset.resolution == (768, 512)
    assert (config.train.batch_size, config.train.max_steps, config.train.seed) == (20, 800, 42)
    assert (config.optimizer.type, config.optimizer.learning_rate) == ("adamw8bit", 5e-6)
    assert (config.dataset.bucket.min_reso, config.dataset.bucket.max_reso) == (384, 1280)
    assert (config.dataset.color_aug, config.dataset.cache_latents) == (0.1, "off")


def test_a_notebooks_variables_are_read_and_its_conditions_followed():
    text = next(file for file in COMMANDS if file.stem == "notebook_complete").read_text(encoding="utf-8")
    config = parse_config(run_file_text(import_text(text, "x")), "x")
    assert (config.prior.num_class_images, config.prior.weight) == (150, 0.5)
    assert config.concept[0].instance_prompt == "masterpiece, best quality, sks 1girl"
    assert config.model.vae.endswith("models/diffusers_model/vae")
    assert (config.dataset.bucket.enable, config.log.wandb, config.optimizer.scale_lr) == (True, False, False)
    assert (config.sample.prompts[0].negative_prompt, config.sample.after_save) == ("lowres, bad anatomy", True)
    without = import_text(text.replace("PRIOR_PRESERVATION = True", "PRIOR_PRESERVATION = False"), "x")
    assert "prior.num_class_images" not in without.settings


@pytest.mark.parametrize("stem", ["convert_before", "convert_after"])
def test_a_conversion_is_told_as_our_command(stem, capsys):
    file = next(file for file in COMMANDS if file.stem == stem)
    assert run(["preset", "import", str(file)]) == 2
    told = capsys.readouterr().err
    assert ("--scheduler ddim" if stem == "convert_before" else "--half") in told
    assert "dbtui convert m" in told


ONE = {"optimizer.learning_rate": 3e-5, "train.max_steps": 700, "save.every_n_steps": 70}


@pytest.mark.parametrize(
    "text",
    [
        "accelerate launch train_db.py --learning_rate=3e-5 --max_train_steps=700 --save_every_n_steps=70",
        "!accelerate launch \\\n  train_db.py \\\n --learning_rate 3e-5 \\ \n"
        " --max_train_steps 700 --save_every_n_steps 70",
        "accelerate launch train_db.py ^\r\n --learning_rate=3e-5 ^\r\n"
        " --max_train_steps=700 --save_every_n_steps=70",
        "python C:\\sd-scripts\\train_db.py `\n --learning_rate=3e-5 `\n"
        " --max_train_steps=700 --save_every_n_steps=70",
        "#!/bin/sh\nexport LR=3e-5 # rate\nSTEPS='700'\ntrain() { :; }\naccelerate launch train_db.py"
        ' --learning_rate="$LR" --max_train_steps ${STEPS} --save_every_n_steps=70 > log.txt 2>&1',
        "CUDA_VISIBLE_DEVICES=0 accelerate launch train_db.py --learning_rate 3e-5 \\\n  # more\n"
        "  --max_train_steps 700 --save_every_n_steps=70 && echo done",
        "$ python3 ./train_db.py \u2014learning_rate \u201c3e-5\u201d"
        " --max_train_steps \u2018700\u2019 --save_every_n_steps 70",
        'set LR=3e-5\nset "OTHER=1"\naccelerate launch train_db.py --learning_rate=%LR% --max_train_steps=700.0'
        " --save_every_n_steps=70",
        'ARGS=(\n --learning_rate=3e-5\n --max_train_steps=700\n)\naccelerate launch train_db.py "${ARGS[@]}"'
        " --save_every_n_steps=70",
        "EXTRA='--max_train_steps 700"
        " --save_every_n_steps 70'\naccelerate launch train_db.py --learning_rate=3e-5 $EXTRA",
        "$lr = 3e-5\n$env:STEPS = 700\naccelerate launch train_db.py --learning_rate=$lr"
        " --max_train_steps=$env:STEPS"
        " --save_every_n_steps=70",
        "accelerate launch --num_processes 1 train_db.py --learning_rate 3e-5"
        " --max_train_s 700 --save-every-n-steps=70",
        "--learning_rate=3e-5\n--max_train_steps=700\n--save_every_n_steps=70\n--train_data_dir=x --reg_data_dir="
        "y",
    ],
)
def test_however_it_is_pasted(text):
    found, _ = imported_of(text)
    assert {key: found.settings[key].value for key in ONE} == ONE
    assert not found.unknown


def test_nothing_is_run(tmp_path):
    bait = tmp_path / "bait"
    found, _ = imported_of(
        f"X=$(touch {bait})\nY=`touch {bait}`\naccelerate launch train_db.py --seed=$X"
        f" --output_name=$(touch {bait})"
        f" --train_batch_size=`touch {bait}` --learning_rate=1e-6; touch {bait}"
    )
    assert not bait.exists()
    assert "$X is not set" in reasons(found)["--seed"]


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        ("--optimizer_type=AdaFactor", "optimizer.type", "adafactor"),
        ("--optimizer_args weight_decay=0.1 betas=0.9,0.99", "optimizer.betas", (0.9, 0.99)),
        ("--lr_scheduler cosine --lr_warmup_steps 0.05", "scheduler.warmup_percent", 5.0),
        ("--stop_text_encoder_training=-1", "text_encoder.train", False),
        ("--stop_text_encoder_training=300", "text_encoder.stop_at_step", 300),
        ("--caption_extention=.txt", "dataset.caption_extension", ".txt"),
        ("--v2 --v_parameterization", "model.prediction", "v"),
        ("--save_precision=fp16 --save_precision=float", "save.precision", "float"),
        ("--max_train_steps=100 --max_train_epochs=7", "train.epochs", 7),
        ("--cache_latents --cache_latents_to_disk", "dataset.cache_latents", "disk"),
        ("", "optimizer.type", "adamw"),
        ("", "optimizer.learning_rate", 2e-6),
    ],
)
def test_values_and_defaults_of_the_other_trainer(flags, key, value):
    _, config = db(f"--train_data_dir=x {flags}")
    inner = config
    for part in key.split("."):
        inner = getattr(inner, part)
    assert inner == value


@pytest.mark.parametrize(
    ("flags", "option", "reason"),
    [
        ("--learning_rate=50", "--learning_rate 50", "must be a number greater than 0 and at most 10"),
        ("--learning_rate=fast", "--learning_rate fast", "fast is not a number"),
        ("--train_batch_size=1.5", "--train_batch_size 1.5", "is not a whole number"),
        ("--max_train_steps=1e999", "--max_train_steps 1e999", "is not a finite number"),
        ("--resolution=500", "--resolution 500", "multiple of 64"),
        ("--lr_warmup_steps=100", "--lr_warmup_steps 100", "is used only with scheduler.type"),
        ("--color_aug --cache_latents", "--color_aug", "cannot be encoded ahead"),
        ("--optimizer_type=DAdaptAdam", "--optimizer_type DAdaptAdam", "prodigy"),
        ("--optimizer_type=my.module.Class", "--optimizer_type my.module.Class", "names no code to run"),
        ("--full_bf16", "--full_bf16", "does nothing with it"),
        ("--network_dim=4", "--network_dim 4", "it is an option of train_network.py"),
        ("--lerning_rate=1", "--lerning_rate 1", "did you mean --learning_rate?"),
        (
            "--shuffle_caption --keep_tokens_separator=/home/me/x",
            "--keep_tokens_separator /home/me/x",
            "an absolute path",
        ),
        ("--seed=1 --seed=2", "--seed 1", "given again"),
        ("--wandb_api_key=abc", "--wandb_api_key (hidden)", "a secret stands in no file"),
    ],
)
def test_what_is_not_taken_over_is_told_with_the_reason(flags, option, reason):
    found, _ = db(f"--train_data_dir=x {flags}")
    assert reason in reasons(found)[option]


def test_a_lora_of_sd_scripts():
    found, config = imported_of(
        "accelerate launch train_network.py --network_module=networks.lora --network_dim=32 --network_alpha=16"
        " --network_args conv_dim=8 conv_alpha=4 algo=loha --learning_rate=1e-3"
        " --unet_lr=1e-4 --text_encoder_lr=5e-5"
        " --optimizer_type AdamW8bit --scale_weight_norms=1 --network_weights=old.safetensors"
    )
    network = config.network
    assert config.method.train == "lora"
    assert (network.rank, network.alpha, network.conv_rank, network.conv_alpha) == (32, 16, 8, 4)
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (1e-4, 5e-5)
    assert "another kind of file" in reasons(found)["--network_args algo loha"]
    assert found.settings["network.init_from"].belongs


def test_words_of_ones_own_are_no_part_of_a_preset():
    found, config = db(f"--output_name=my-face --caption_prefix=myface --caption_suffix=hf_{'a' * 30}")
    assert (config.save.output_name, config.dataset.caption_prefix, config.dataset.caption_suffix) == (
        None,
        "",
        "",
    )
    assert found.settings["dataset.caption_suffix"].option == "--caption_suffix (hidden)"
    assert "my-face" in run_file_text(found)


def test_rates_of_a_lora_without_its_own():
    _, config = imported_of("accelerate launch train_network.py --learning_rate=1e-3 --unet_lr=1e-4")
    assert (config.optimizer.learning_rate, config.text_encoder.learning_rate) == (1e-4, 1e-3)
    assert (config.network.rank, config.network.alpha) == (4, 1.0)


def test_class_pictures_need_their_switch_there():
    text = "accelerate launch train_dreambooth.py --instance_data_dir=a --num_class_images=50 --class_prompt=dog"
    found, config = imported_of(text)
    assert config.prior.num_class_images is None
    assert "without --with_prior_preservation" in reasons(found)["--num_class_images 50"]
    _, config = imported_of(f"{text} --with_prior_preservation")
    assert config.prior.num_class_images == 50


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello world", "holds no command that trains"),
        ("", "holds no command that trains"),
        ("python sdxl_train.py --train_data_dir=x", "SD 1.x and 2.x"),
        ("python train_textual_inversion.py --train_data_dir=x", "an embedding"),
        ("python train_db.py --seed=1\npython train_db.py --seed=2", "holds 2 commands that train"),
        ("python manage.py --port=1 --host=2", "is not known"),
        ("x" * (300 * 1024), "is larger than"),
    ],
)
def test_what_cannot_be_imported_is_said(text, problem):
    with pytest.raises(UserError, match=re.escape(problem)):
        import_text(text, "the text")


def test_hostile_text_neither_hangs_nor_acts_on_the_terminal(capsys, monkeypatch):
    bomb = "A=aaaaaaaa\n" + "A=$A$A$A$A$A$A$A$A\n" * 40
    text = (
        bomb + "python train_db.py --output_name=$A '--\x1b]0;x\x07=1' \"--seed=\u202e1\" --learning_rate=1e-6 '"
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(["preset", "import", "-"]) == 0
    printed = "".join(capsys.readouterr())
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


def test_the_command_writes_the_preset_and_a_run_file(capsys, tmp_path, own_presets):
    script = tmp_path / "train.sh"
    script.write_text("accelerate launch train_db.py --train_data_dir=pictures --learning_rate=1e-5")
    run_file = tmp_path / "run.toml"
    assert run(["preset", "import", str(script), "--name", "mine", "--run-file", str(run_file)]) == 0
    assert capsys.readouterr().out == ""
    assert run(["preset", "check", "mine"]) == 0
    assert tomllib.loads((own_presets / "mine.toml").read_text())["preset"]["name"] == "mine"
    assert tomllib.loads(run_file.read_text())["dataset"]["train_dir"] == "pictures"
    script.write_text("train_db.py --train_data_dir=pictures --reg_data_dir= --output_name='a b'")
    assert run(["preset", "import", str(script), "--run-file", str(tmp_path / "other.toml")]) == 0
    assert "--output_name a b: save.output_name must be text" in capsys.readouterr().err
    assert run(["preset", "import", str(script), "--name", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_preset_goes_to_stdout_and_the_rest_to_stderr(capsys, tmp_path):
    script = tmp_path / "train.sh"
    script.write_text(
        "accelerate launch train_db.py --train_data_dir=/home/me/pictures --learning_rate=1e-5 --save_state"
    )
    assert run(["preset", "import", str(script)]) == 0
    printed = capsys.readouterr()
    assert check_preset(printed.out, "x").optimizer.learning_rate == 1e-5
    assert "/home/me" not in printed.out
    assert "--train_data_dir /home/me/pictures: dataset.train_dir; it belongs to one machine" in printed.err
    assert run(["preset", "import", str(script), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"][0]["option"] == "--save_state"
