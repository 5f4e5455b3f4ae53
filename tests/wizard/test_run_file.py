"""What the review finds and writes, without a screen."""

import shlex
from pathlib import Path

import pytest

from dbtui.wizard.answers import config_of
from dbtui.wizard.draft import Draft
from dbtui.wizard.review.mends import mends_of, unanswered
from dbtui.wizard.review.reviewed import review
from dbtui.wizard.review.run_file import (
    TakenError,
    headless_command,
    place_of,
    write_run_file,
    write_somewhere,
)
from dbtui.wizard.review.start import name_problem
from trainer_core.config.reader import read_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError


def complete(base: str = "/models/sd15.safetensors") -> Draft:
    draft = Draft(preset="sd15-12gb")
    draft.set("model.base", base)
    draft.concept().update({"identifier": "sls", "class": "frog", "instance_dir": "/photos/frog"})
    return draft


@pytest.fixture
def config() -> Config:
    return config_of(complete())


def test_unanswered_questions_lead_to_their_steps():
    assert [(mend.step.name, mend.key) for mend in unanswered(Draft())] == [
        ("model", "model.base"),
        ("pictures", "concept.instance_dir"),
    ]
    draft = complete()
    assert list(unanswered(draft)) == []
    draft.concepts.append({"identifier": "shs", "class": "toad"})
    assert [mend.text for mend in unanswered(draft)] == ["subject 2 has no folder of pictures yet: choose one"]
    draft.set("dataset.train_dir", "/photos/layout")
    assert list(unanswered(draft)) == []


def test_what_is_missing_hides_nothing_else_that_is_wrong(tmp_path: Path):
    draft = Draft(preset="sd15-12gb")
    draft.set("sample.every_n_steps", 5)
    found = review(draft, tmp_path)
    assert [mend.key for mend in found.mends] == ["model.base", "concept.instance_dir", "sample.every_n_steps"]
    draft.set("train.batch_size", 0)
    found = review(draft, tmp_path)
    assert [mend.key for mend in found.mends] == ["model.base", "concept.instance_dir", "train.batch_size"]
    assert (found.can_start, found.text) == (False, "")
    assert not any("your answers" in mend.text or "--" in mend.text for mend in found.mends)


def test_a_problem_without_a_setting_leads_to_what_its_kind_is_about():
    errors = [UserError(["x is torn", "y is torn"], ExitCode.DATASET), UserError("x is torn", ExitCode.MODEL)]
    assert [(mend.text, mend.step.name) for mend in mends_of(errors)] == [
        ("x is torn", "pictures"),
        ("y is torn", "pictures"),
    ]


def test_the_file_means_what_the_answers_mean(config: Config, tmp_path: Path):
    path = tmp_path / "frog.toml"
    write_run_file(path, dump_config(config), config)
    assert read_config(path) == config


def test_another_file_is_not_overwritten_unless_told(config: Config, tmp_path: Path):
    path, text = tmp_path / "frog.toml", dump_config(config)
    path.write_text("mine")
    with pytest.raises(TakenError, match="exists already"):
        write_run_file(path, text, config)
    assert path.read_text() == "mine"
    write_run_file(path, text, config, replace=True)
    write_run_file(path, text, config)  # the same again is no loss
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("name", "words"),
    [("folder.toml", "not a file"), ("none/frog.toml", "not a folder"), ("mine.toml/frog.toml", "not a folder")],
)
def test_places_that_no_file_can_have(config: Config, tmp_path: Path, name: str, words: str):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(UserError, match=words):
        write_run_file(tmp_path / name, dump_config(config), config, replace=True)
    assert (tmp_path / "folder.toml").is_dir()


def test_a_hub_id_beside_a_folder_of_that_name_is_refused(tmp_path: Path):
    config = config_of(complete("owner/model"))
    (tmp_path / "owner" / "model").mkdir(parents=True)
    with pytest.raises(UserError, match="would not mean the same"):
        write_run_file(tmp_path / "frog.toml", dump_config(config), config)
    assert not (tmp_path / "frog.toml").exists()


def test_a_free_name_is_found(config: Config, tmp_path: Path):
    text = dump_config(config)
    (tmp_path / "frog.toml").write_text("mine")
    assert write_somewhere(tmp_path, "frog", text, config).name == "frog-2.toml"
    assert write_somewhere(tmp_path, "frog", text, config).name == "frog-2.toml", "it is there already"


def test_names_as_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert place_of(" frog ", tmp_path) == tmp_path / "frog.toml"
    assert place_of("../frog.toml", tmp_path) == tmp_path.parent / "frog.toml"
    assert place_of("~/frog", tmp_path) == Path("/home/me/frog.toml")
    for typed in ("", "  ", "folder/"):
        with pytest.raises(UserError, match="type a name"):
            place_of(typed, tmp_path)


def test_the_command_works_in_any_folder_and_any_shell(tmp_path: Path):
    path = tmp_path / "it's; rm -rf $HOME" / "frog.toml"
    command = headless_command(path, name="", runs_dir=Path("runs"))
    assert shlex.split(command) == ["dbtui", "run", str(path)]
    named = headless_command(path, name="frog-1", runs_dir=Path("else"))
    assert shlex.split(named)[3:] == ["--name", "frog-1", "--runs-dir", str(Path.cwd() / "else")]


def test_names_of_runs(tmp_path: Path):
    (tmp_path / "taken").mkdir()
    assert name_problem("", tmp_path) == ""
    assert name_problem("frog-1", tmp_path) == ""
    assert "already" in name_problem("taken", tmp_path)
    assert "cannot be the name" in name_problem("../frog", tmp_path)
