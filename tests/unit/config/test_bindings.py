"""The command line binds a configuration to one machine."""

import os

import pytest

from trainer_core.config.bindings import bind, require_bindings
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(call, *arguments, **options) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments, **options)
    assert caught.value.code is ExitCode.CONFIG
    return "\n".join(caught.value.problems)


def test_a_plain_folder_becomes_a_concept(here):
    config = bind(
        Config(), model="m.ckpt", data="frogs", reg="reg", identifier="sls", class_="frog", output_name="f"
    )
    (concept,) = config.concept
    assert (concept.identifier, concept.class_) == ("sls", "frog")
    assert (concept.instance_dir, concept.class_dir) == (str(here / "frogs"), str(here / "reg"))
    assert (config.dataset.train_dir, config.dataset.reg_dir) == (None, None)
    assert (config.model.base, config.save.output_name) == (str(here / "m.ckpt"), "f")
    require_bindings(config)


def test_without_names_it_is_the_folder_of_folders(here):
    config = bind(Config(), model="owner/name", data="train", reg="reg", output_dir="out")
    assert (config.dataset.train_dir, config.dataset.reg_dir) == (str(here / "train"), str(here / "reg"))
    assert config.model.base == "owner/name"
    assert config.save.output_dir == str(here / "out")
    require_bindings(config)


def test_the_one_concept_of_a_preset_is_bound(here):
    text = 'schema = 1\n[[concept]]\nclass = "frog"\nrepeats = 20\ninstance_prompt = "a sls frog"\n'
    (concept,) = bind(parse_config(text, "x"), data="frogs", identifier="sls").concept
    assert (concept.repeats, concept.identifier, concept.class_) == (20, "sls", "frog")
    assert concept.instance_dir == str(here / "frogs")


def test_class_pictures_given_take_the_place_of_the_files(here):
    config = Config.model_validate({"dataset": {"train_dir": "/a", "reg_dir": "/b"}})
    bound = bind(config, data="frogs", reg="reg", identifier="sls", class_="frog")
    assert (bound.concept[0].class_dir, bound.dataset.reg_dir) == (str(here / "reg"), None)
    kept = bind(config, data="frogs", identifier="sls", class_="frog")
    assert (kept.concept[0].class_dir, kept.dataset.reg_dir) == (None, "/b")


def test_names_can_be_changed_alone(here):
    config = bind(Config(), data="frogs", identifier="sls", class_="frog")
    (concept,) = bind(config, identifier="cpc").concept
    assert (concept.identifier, concept.instance_dir) == ("cpc", str(here / "frogs"))


def test_nothing_given_changes_nothing():
    config = Config.model_validate({"dataset": {"train_dir": "/a", "reg_dir": "/b"}, "save": {"output_name": "x"}})
    assert bind(config) == config


def test_what_is_missing_is_told_at_once_with_its_option():
    text = told(require_bindings, Config.model_validate({"sample": {"every_n_steps": 5, "before_training": True}}))
    assert len(text.splitlines()) == 4
    for word in ("--model", "--data", "sample.every_n_steps", "sample.before_training"):
        assert word in text
    assert "[[concept]] number 1" in told(require_bindings, Config.model_validate({"concept": [{}]}))


def test_options_that_do_not_go_together(here):
    assert "--data" in told(bind, Config(), identifier="sls")
    two = Config.model_validate({"concept": [{}, {}]})
    assert "several [[concept]]" in told(bind, two, data="x")
    (here / "train/20_sls frog").mkdir(parents=True)
    assert "20_sls frog" in told(bind, Config(), data="train", identifier="sls")
    bind(Config(), data="train/20_sls frog", identifier="sls")


def test_a_current_folder_that_is_not_utf8(here, monkeypatch):
    odd = here / os.fsdecode(b"\xff")
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert "begins in" in told(bind, Config(), data="train")
    assert bind(Config(), data="../train").dataset.train_dir == str(here / "train")
    assert bind(Config(), model="owner/name").model.base == "owner/name"


def test_a_folder_that_cannot_be_read_is_left_to_the_scan(here, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied", path)

    (here / "frogs").mkdir()
    monkeypatch.setattr(os, "scandir", closed)
    (concept,) = bind(Config(), data="frogs", identifier="sls").concept
    assert concept.instance_dir == str(here / "frogs")


def test_values_that_cannot_be():
    assert "save.output_name must be" in told(bind, Config(), output_name="../x")
    assert "save.output_name must be" in told(bind, Config(), output_name="..")
    assert "not UTF-8" in told(bind, Config(), data="\udcff")
    assert "NUL" in told(bind, Config(), model="a\0")
    assert "environment variable" in told(bind, Config(), data="$PICTURES")
    assert "concept.class" in told(bind, Config(), data="x", identifier="sls", class_="")


def test_a_revision_does_not_go_with_a_local_model_bound_later(here):
    config = parse_config('schema = 1\n[model]\nrevision = "main"\n', "x")
    text = told(bind, config, model=here / "m.ckpt")
    assert "model.revision is used only with a Hub id" in text
    assert "m.ckpt" in text
    assert bind(config, model="owner/name").model.revision == "main"


def test_a_class_prompt_wants_class_pictures(here):
    text = 'schema = 1\n[[concept]]\nclass = "frog"\nclass_prompt = "a frog"\n'
    config = parse_config(text, "x")  # a preset: its class pictures are bound later
    bound = bind(config, model="owner/name", data="frogs", identifier="sls")
    problem = told(require_bindings, bound)
    assert "concept.class_prompt (in [[concept]] number 1) is used only with class_dir" in problem
    assert "--reg" in problem
    require_bindings(bind(bound, reg="reg"))


def test_a_class_prompt_that_names_the_class_of_the_folders_is_used():
    concept = {"instance_dir": "/frogs", "instance_prompt": "sls frog", "class_prompt": "frog"}
    tables = {"model": {"base": "owner/name"}, "dataset": {"reg_dir": "/reg"}, "concept": [concept]}
    require_bindings(Config.model_validate(tables))
    named = Config.model_validate({**tables, "concept": [{**concept, "class": "frog"}]})
    assert "class_prompt" in told(require_bindings, named)


def test_previews_and_an_upload_of_nothing_are_refused(here):
    sample = {"after_save": True, "num_per_prompt": 2, "before_training": True}
    tables = {"model": {"base": "m.ckpt"}, "dataset": {"train_dir": "/a"}, "save": {"every_n_steps": 5}}
    text = told(require_bindings, Config.model_validate({**tables, "sample": sample, "hub": {"push": True}}))
    for name in sample:
        assert f"sample.{name} is set but there is nothing to draw" in text
    assert "set hub.repo_id, such as owner/name" in text
    require_bindings(Config.model_validate({**tables, "sample": {**sample, "prompts_file": "/p.txt"}}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sample]\nafter_save = true", "sample.after_save is used only with save.every_n_steps"),
        ("[log]\nprefix = 'a'", "log.prefix is used only with log.tensorboard or log.wandb"),
        ("[log]\ndir = 'a'", "log.dir is used only with log.tensorboard or log.wandb"),
        ("[log]\nwandb_project = 'a'", "log.wandb_project is used only with log.wandb = true"),
        ("[prior]\ninfer_steps = 9", "used only with prior.num_class_images set (it is not set)"),
        ("[hub]\nrepo_id = 'a/b'", "hub.repo_id is used only with hub.push = true"),
        ("[hub]\npush = true\nrepo_id = 'a'", 'hub.repo_id must be text: owner/name, as on the Hub, not "a"'),
        ("[log]\nwandb = true\nwandb_project = 'a/b'", "log.wandb_project must be text: 1 to 128 letters"),
        (
            "[save]\nprecision = 'fp16'\n"
            + "\n".join(f"{part}_precision = 'bf16'" for part in ("unet", "text_encoder", "vae")),
            "save.precision has no effect beside",
        ),
    ],
)
def test_settings_of_the_outputs_that_nothing_uses(text, words):
    assert words in told(parse_config, f"schema = 1\n{text}\n", "run.toml")
