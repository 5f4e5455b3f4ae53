"""A new run from an earlier one has all its answers: its configuration is the run's."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from dbtui.presets.library import find_text
from dbtui.wizard.answers import resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.from_run import draft_of_config, draft_of_file, draft_of_run
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import create_run

FROG = '[[concept]]\nidentifier = "sls"\nclass = "frog"\ninstance_dir = "/photos/frog"\nrepeats = 20\n'
BASE = '[model]\nbase = "/models/sd15.safetensors"\n'
SHAPES = {
    "concepts": f"""extends = "sd15-12gb"
{BASE}{FROG}class_dir = "/photos/frogs"
[[concept]]
identifier = "shs"
class = "toad"
instance_dir = "/photos/toad"
instance_prompt = "a drawing of [filewords]"
""",
    "train_dir layout": f"""extends = "sd15-8gb"
{BASE}[dataset]
train_dir = "/photos/train"
reg_dir = "/photos/reg"
resolution = [640, 448]
""",
    "lora": f"""extends = "sd15-lora-8gb"
{BASE}{FROG}[network]
rank = 4
conv_rank = 8
[text_encoder]
learning_rate = 3e-5
[save]
output_dir = "/out"
""",
    "lora preset, full model": f"""extends = "sd15-lora-8gb"
{BASE}{FROG}[method]
train = "full"
""",
    "finetune": f"""extends = "sd15-12gb"
{BASE}[method]
captions = "finetune"
[dataset]
train_dir = "/photos/captioned"
shuffle_caption = true
keep_tokens = 2
""",
    "style": f"""extends = "sd15-12gb"
{BASE}[[concept]]
identifier = "sls"
instance_dir = "/photos/paintings"
instance_prompt = "by sls"
""",
    "hybrid style": f"""extends = "sd15-12gb"
{BASE}[method]
captions = "hybrid"
[[concept]]
identifier = "by sls"
class = "painting"
instance_dir = "/photos/paintings"
""",
    "epochs instead of steps": f"""extends = "sd15-12gb"
{BASE}{FROG}[train]
epochs = 7
""",
    "lists and texts": f"""extends = "sd21-12gb"
{BASE}{FROG}[dataset]
caption_prefix = "a \\"strange\\" \\u001b[31m prefix"
[optimizer]
betas = [0.8, 0.99]
[[sample.prompts]]
prompt = "sls frog [b]bold[/b]"
seed = 7
[[sample.prompts]]
prompt = "frog"
width = 640
[sample]
every_n_steps = 50
[hub]
push = true
repo_id = "me/frog"
""",
    "no preset": f"{BASE}{FROG}[train]\nmax_steps = 5\n",
    "nothing but the preset": f'extends = "sd15-12gb"\n{BASE}{FROG}',
    "its own name": f'{BASE}{FROG}[preset]\nname = "never-heard-of"\ntitle = "Mine"\n[ema]\nenable = true\n',
}


def config_of(text: str) -> Config:
    return parse_config(f"schema = 1\n{text}", "a test", find_preset=find_text)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_draft_of_a_configuration_means_that_configuration(shape: str):
    config = config_of(SHAPES[shape])
    draft = draft_of_config(config, "run frog-1")
    assert resolved(draft) == config
    assert (draft.name, draft.origin, draft.step) == ("", "run frog-1", "review")
    kept = Draft(**json.loads(json.dumps(asdict(draft))))
    assert resolved(kept) == config, "a draft on disk is JSON"


def test_only_the_differences_from_the_preset_are_answers():
    draft = draft_of_config(config_of(SHAPES["train_dir layout"]), "")
    assert draft.preset == "sd15-8gb"
    assert draft.tables == {
        "model": {"base": "/models/sd15.safetensors"},
        "dataset": {"train_dir": "/photos/train", "reg_dir": "/photos/reg", "resolution": [640, 448]},
    }


def test_what_the_preset_has_and_the_run_had_not_takes_every_setting_over():
    """The average of a preset cannot be un-answered; the draft then stands on no preset."""
    config = config_of(SHAPES["nothing but the preset"])
    config = config.model_copy(update={"model": config.model.model_copy(update={"family": "auto"})})
    assert draft_of_config(config, "").preset == "sd15-12gb", "a default can be said"
    train = config.train.model_copy(update={"max_steps": None})
    without = config.model_copy(update={"train": train})
    draft = draft_of_config(without, "")
    assert (draft.preset, resolved(draft)) == ("", without)


def test_a_preset_that_is_gone_takes_every_setting_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(tmp_path))
    (tmp_path / "presets").mkdir()
    mine = tmp_path / "presets" / "mine.toml"
    mine.write_text('schema = 1\nextends = "sd15-8gb"\npreset.name = "mine"\ntrain.seed = 5\n')
    config = config_of(f'extends = "mine"\n{BASE}{FROG}')
    assert draft_of_config(config, "").preset == "mine"
    mine.write_text('schema = 1\nextends = "sd15-8gb"\npreset.name = "mine"\ntrain.seed = 6\n')
    assert draft_of_config(config, "").get("train.seed") == 5, "the preset was changed since"
    mine.unlink()
    draft = draft_of_config(config, "")
    assert (draft.preset, resolved(draft)) == ("", config)


def test_the_goal_is_guessed_and_a_style_has_its_word_alone():
    style = draft_of_config(config_of(SHAPES["hybrid style"]), "")
    assert (style.goal, style.concepts[0]["identifier"]) == ("style", "sls")
    own_prompt = draft_of_config(config_of(SHAPES["style"]), "")
    assert (own_prompt.goal, own_prompt.concepts[0]["instance_prompt"]) == ("thing", "by sls")
    assert draft_of_config(config_of(SHAPES["finetune"]), "").goal == "dataset"
    assert draft_of_config(config_of(SHAPES["concepts"]), "").goal == "thing"


def test_the_newest_configuration_of_a_run_is_taken(tmp_path: Path):
    run = create_run(tmp_path, "frog-1", dump_config(config_of(SHAPES["concepts"])))
    (run.path / "run.2.toml").write_text(dump_config(config_of(SHAPES["epochs instead of steps"])))
    draft = draft_of_run(run)
    assert (draft.get("train.epochs"), draft.origin) == (7, "run frog-1")
    (run.path / "run.2.toml").unlink()
    assert len(draft_of_run(run).concepts) == 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"schema = 1\n[train", "line 2"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"schema = 99\n", "newer dbtui"),
        (b"schema = 1\n[train]\nmax_stepps = 3\n", "did you mean max_steps"),
    ],
)
def test_a_damaged_configuration_is_told_with_its_file(tmp_path: Path, damage: bytes, words: str):
    run = create_run(tmp_path, "frog-1", "")
    run.run_toml.write_bytes(damage)
    with pytest.raises(UserError, match=words) as caught:
        draft_of_run(run)
    assert all("run.toml" in problem for problem in caught.value.problems)
    assert caught.value.code is ExitCode.CONFIG


def test_a_run_file_beside_its_pictures(tmp_path: Path):
    file = tmp_path / "frog.toml"
    file.write_text(
        'schema = 1\nextends = "sd15-12gb"\n[model]\nbase = "m.safetensors"\n[dataset]\ntrain_dir = "t"'
    )
    draft = draft_of_file(file)
    assert draft.get("dataset.train_dir") == str(tmp_path / "t")
    assert draft.origin == "frog.toml"
