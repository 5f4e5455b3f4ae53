"""`dbtui preset diff`: which settings differ, in words, in JSON, and as an exit code."""

import json

import pytest

from dbtui.cli.app import run as dbtui
from dbtui.presets.differ import differ
from dbtui.presets.library import find_text
from tests.presets.first_machine import make_run
from trainer_core.config.reader import parse_config
from trainer_core.text import is_plain

SLOW = 'schema = 1\nextends = "sd15-12gb"\n[optimizer]\nlearning_rate = 5e-7\n[train]\nepochs = 3\n'
BOUND = '[model]\nbase = "{home}/sd15.safetensors"\n[dataset]\ntrain_dir = "{home}/a"\n'


def lines(first, second):
    read = [parse_config(f"schema = 1\n{text}", "x", find_preset=find_text) for text in (first, second)]
    return [each.line() for each in differ(*read).differences]


def test_each_setting_is_one_line_with_its_unit(own_presets, capsys):
    (own_presets / "slow.toml").write_text(SLOW)
    assert dbtui(["preset", "diff", "sd15-12gb", "slow"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "optimizer.learning_rate: 1e-06 -> 5e-07",
        "train.max_steps: 1600 steps -> not set",
        "train.epochs: not set -> 3 passes",
    ]
    assert "preset sd15-12gb -> preset slow: 3 settings differ" in printed.err


def test_the_same_settings_end_with_0_whatever_they_are_called(own_presets, capsys):
    (own_presets / "twin.toml").write_text(
        'schema = 1\nextends = "sd15-12gb"\n[preset]\nname = "twin"\ntitle = "T"\n'
    )
    assert dbtui(["preset", "diff", "sd15-12gb", str(own_presets / "twin.toml")]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "the same settings" in printed.err


def test_what_cannot_be_read_ends_with_2(tmp_path, capsys):
    for name in ("sd15_12gb", "none.toml", str(tmp_path / "no-run")):
        assert dbtui(["preset", "diff", "sd15-12gb", name]) == 2
    assert capsys.readouterr().out == ""


def test_as_json(own_presets, capsys):
    (own_presets / "slow.toml").write_text(SLOW)
    assert dbtui(["preset", "diff", "sd15-12gb", "slow", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["b"] == {"kind": "preset", "name": "slow"}
    assert told["differences"][2] == {
        "key": "train.epochs",
        "a": {"value": None, "used": True},
        "b": {"value": 3, "used": True},
        "unit": "passes",
    }


def test_a_run_is_compared_with_the_preset_that_it_was_made_from(tmp_path, capsys):
    make_run(tmp_path, f'extends = "sd15-12gb"\n[train]\nmax_steps = 800\n{BOUND}', "frog-1")
    assert dbtui(["preset", "diff", "sd15-12gb", "frog-1", "--runs-dir", str(tmp_path / "runs")]) == 1
    printed = capsys.readouterr()
    assert printed.out == "train.max_steps: 1600 -> 800 steps\n"
    assert "not compared" in printed.err


def test_paths_of_two_runs_are_compared():
    other = BOUND.replace("/a", "/b") + 'reg_dir = "/reg"\n'
    assert [line.split(":")[0] for line in lines(BOUND, other)] == ["dataset.train_dir", "dataset.reg_dir"]


def test_settings_that_nothing_uses_are_no_difference():
    told = lines('extends = "sd15-12gb"', 'extends = "sd15-lora-8gb"')
    assert "network.rank: unused -> 16" in told
    assert 'method.train: "full" -> "lora"' in told
    assert not any("not set -> unused" in line or "unused -> not set" in line for line in told)


def test_items_of_lists_are_compared_one_by_one():
    prompts = '[[sample.prompts]]\nprompt = "a"\n'
    told = lines(prompts + prompts, prompts + prompts.replace('"a"', '"b"') + prompts)
    assert told[0] == 'sample.prompts[2].prompt: "a" -> "b"'
    assert told[1] == 'sample.prompts[3].prompt: not set -> "a"'
    assert "sample.prompts[3].steps: not set -> 30 steps" in told


@pytest.mark.row(43)
def test_nothing_of_a_value_acts_on_the_terminal():
    hostile = '[[sample.prompts]]\nprompt = "\\u001b]0;owned\\u0007 [bold]\\u202e"\n'
    (line,) = lines(hostile, '[[sample.prompts]]\nprompt = "a"\n')
    assert is_plain(line)
    assert "owned" in line
