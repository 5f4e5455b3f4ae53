"""The person's own configuration file: the only place that can name a command, and strict about it."""

import json

import pytest

from trainer_core.config.concepts_list import read_concepts_list
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.hooks.user_config import read_user_config, user_config_path, user_config_problems
from trainer_core.hooks.words import words_of_the_end
from trainer_core.services import service_problems

WHOLE = """
schema = 1
[upload]
command = ["sh", "-c", "true"]
verify = ["sh", "-c", "true"]
timeout_minutes = 30
[on_finish]
command = ["sh"]
webhook = "https://example.org/x"
[on_failure]
webhook = "http://localhost:8080/x"
[on_stop]
command = ["sh"]
timeout_minutes = 0.5
[after_upload]
command = ["sh", "-c", "exit 0"]
"""


def test_without_a_file_nothing_is_asked_for(configuration):
    config = read_user_config()
    assert [getattr(config, name) for name in type(config).model_fields] == [1, None, None, None, None, None]
    assert user_config_problems() == []


def test_a_whole_file(configuration):
    configuration(WHOLE)
    config = read_user_config()
    assert config.upload.verify == ["sh", "-c", "true"]
    assert config.on_finish.timeout_minutes == 10
    assert config.on_stop.timeout_minutes == 0.5
    assert user_config_problems() == []


def test_it_lies_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.delenv("DBTUI_CONFIG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_config_path() == tmp_path / "dbtui" / "config.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[on_finsh]\ncommand = ['a']", "on_finsh is not a setting (did you mean on_finish?)"),
        ("[on_finish]\ncomand = ['a']", "on_finish.comand is not a setting (did you mean command?)"),
        ("[upload]\nwebhook = 'x'\ncommand = ['a']", "upload.webhook is not a setting; there are command, verify"),
        ("[upload]\nverify = ['a']", "upload.command is missing; it must be given"),
        (
            "[on_finish]\ncommand = 'rm -r x'",
            'must be a list of 1 to 200 texts, not "rm -r x": ["program", "word"]',
        ),
        ("[on_finish]\ncommand = []", "on_finish.command must be a list of 1 to 200 texts"),
        ("[on_finish]\ncommand = ['a', 1]", "on_finish.command must be a list of 1 to 200 texts"),
        ("[on_finish]\ncommand = ['']", "on_finish.command must begin with the name of a program"),
        ("[on_finish]\nwebhook = 'http://a.org/TOPSECRET'", "on_finish.webhook must begin with https://"),
        ("[on_finish]\nwebhook = 'https://u:TOPSECRET@a.org/'", "on_finish.webhook must not hold a login"),
        ("[on_finish]\nwebhook = 'file:///TOPSECRET'", "on_finish.webhook must begin with https://"),
        ("[on_finish]\nwebhook = 3", "on_finish.webhook must be an https:// address"),
        (
            "[on_finish]\ncommand = ['a']\ntimeout_minutes = 0",
            "on_finish.timeout_minutes must be a number greater",
        ),
        ("[on_finish]\ncommand = ['a']\ntimeout_minutes = nan", "on_finish.timeout_minutes must be a number"),
        ("[on_finish]\ncommand = ['a']\ntimeout_minutes = true", "on_finish.timeout_minutes must be a number"),
        ("[on_stop]\ntimeout_minutes = 1", "[on_stop] does nothing: give it a command or a webhook"),
        ("on_stop = 1", "on_stop must be a table (opened by [on_stop]), not 1"),
        ("schema = 2", "made by a newer dbtui (schema 2): upgrade dbtui"),
        pytest.param(f"schema = 0x{'f' * 5000}", "made by a newer dbtui (schema a whole number of", id="endless"),
        ("schema = '1'", 'schema must be 1, not "1"'),
        ("schema = 1\n[", "not valid TOML"),
        (
            "[upload]\ncommand = ['a']\n[after_upload]\ncommand = ['b']",
            "after_upload needs upload.verify, a command that prints the SHA-256 sums",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(configuration, text, words):
    path = configuration(text)
    with pytest.raises(UserError) as caught:
        read_user_config()
    assert caught.value.code is ExitCode.CONFIG
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(str(path))
    assert words in caught.value.problems[0]
    assert "TOPSECRET" not in caught.value.problems[0]


def test_everything_wrong_is_said_at_once_and_before_a_training(configuration):
    configuration("[on_finsh]\n[upload]\n[on_stop]\ncommand = 3\n")
    (error,) = service_problems(Config())
    assert len(error.problems) == 3


def test_a_program_that_is_not_there_is_said_before_a_training(configuration):
    path = configuration("[after_upload]\ncommand = ['no-such-program-b7', 'stop']")
    (error,) = service_problems(Config())
    assert error.problems[0].startswith(f'{path}: after_upload.command names the program "no-such-program-b7"')


def test_a_file_that_everybody_can_write_is_refused(configuration):
    configuration(WHOLE).chmod(0o666)
    with pytest.raises(UserError, match="can be written by everybody"):
        read_user_config()


@pytest.mark.parametrize("table", ["on_finish", "on_failure", "on_stop", "upload", "after_upload", "hooks"])
def test_a_preset_or_run_file_cannot_name_a_command(table, tmp_path):
    text = f'schema = 1\n[{table}]\ncommand = ["touch", "{tmp_path}/canary"]\nwebhook = "https://example.org"\n'
    for read in (parse_config, check_preset):
        with pytest.raises(UserError, match=f"{table} is not a table"):
            read(text, "a preset")
    with pytest.raises(UserError, match="is not a"):
        parse_config("schema = 1", "a preset", overrides=[f'{table}.command=["touch", "x"]'])


def test_a_list_of_concepts_cannot_name_a_command(tmp_path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "concepts_list.json"
    entry = {"instance_prompt": "sls frog", "instance_data_dir": "a", "on_finish": {"command": ["touch", "x"]}}
    path.write_text(json.dumps([entry]))
    listed = read_concepts_list(path, Config())
    assert "touch" not in json.dumps(listed.layer.tables)


def test_a_plan_tells_what_will_follow(configuration):
    assert words_of_the_end(pushes_to_hub=True) == []
    configuration(WHOLE)
    assert words_of_the_end(pushes_to_hub=False) == [
        "upload: your command, and what arrives is verified",
        "on_finish: a webhook and your command",
        "on_failure: a webhook",
        "on_stop: your command",
        "after_upload: your command",
    ]
    configuration("[after_upload]\ncommand = ['sh']")
    assert words_of_the_end(pushes_to_hub=True) == ["after_upload: your command"]
    assert words_of_the_end(pushes_to_hub=False) == ["after_upload: will not run, since nothing is uploaded"]
    configuration("[after_uplod]")
    assert words_of_the_end(pushes_to_hub=False) == []
