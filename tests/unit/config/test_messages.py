"""Every mistake of a file is told at once, in the words of TOML."""

import pytest

MISTAKES = r"""
schema = 1
extend = "sd15-8gb"
learning_rate = 1e-6

[optimizer]
learnig_rate = 1e-6
learning_rate = "1e-4"
type = "adamm"
betas = [0.9, "x"]
batch_size = 4

[optimiser]
eps = 1

[train]
batch_size = true
max_steps = 0
seed = 2026-01-01
schema = 1

[dataset]
resolution = [500, 512]

[dataset.bucket]
min_reso = 300

[concept]
identifier = "sls"

[memory]
full_fp16 = true

[save]
output_name = "../up"
keep_last = 2
"\u001b[31mred" = 1

[preset]
title = 3

[prior]
weight = -1

[[sample.prompts]]
prompt = "a"

[[sample.prompts]]
seed = "1"
"""

TOLD = """\
run.toml: extend is not a setting (did you mean extends?)
run.toml: learning_rate is not a setting (it belongs to [text_encoder] or [optimizer])
run.toml: optimizer.learnig_rate is not a setting (did you mean learning_rate?)
run.toml: optimizer.batch_size is not a setting (it belongs to [train])
run.toml: optimiser is not a table (did you mean optimizer?)
run.toml: train.schema is not a setting (schema belongs at the top of the file, before the first table)
run.toml: concept must be a list of tables: write [[concept]] with two brackets
run.toml: save.\\x1b[31mred is not a setting
run.toml: preset.title must be text of at most 120 characters, not 3 (write it in quotes)
run.toml: dataset.resolution must be a list of 2 whole numbers from 64 to 4096, each a multiple of 64, \
not [500, 512]
run.toml: prior.weight must be a number from 0 to 10, not -1
run.toml: optimizer.type must be one of "adamw", "adamw8bit", "paged_adamw", "paged_adamw8bit", "lion", \
"lion8bit", "adafactor", "prodigy", "adamw_schedulefree", not "adamm" (did you mean "adamw"?)
run.toml: optimizer.learning_rate must be a number greater than 0 and at most 10, not "1e-4" (remove the quotes)
run.toml: optimizer.betas must be a list of 2 numbers at least 0 and less than 1, not [0.9, "x"]
run.toml: train.max_steps must be a whole number from 1 to 10000000, not 0
run.toml: train.batch_size must be a whole number from 1 to 1024, not true
run.toml: train.seed must be a whole number from 0 to 2147483647, not a date or time
run.toml: sample.prompts.prompt (in [[sample.prompts]] number 2) is missing; it must be given
run.toml: sample.prompts.seed (in [[sample.prompts]] number 2) must be a whole number from 0 to 2147483647, \
not "1" (remove the quotes)
run.toml: save.output_name must be text: 1 to 64 letters, digits, dots, underscores or hyphens, beginning with a \
letter, digit or _, not "../up"
run.toml: dataset.bucket.min_reso is used only with dataset.bucket.enable = true (it is false); set that or \
remove this setting
run.toml: memory.full_fp16 is used only with memory.mixed_precision = "fp16" (it is "no"); set that or \
remove this setting
run.toml: save.keep_last is used only with save.every_n_steps or save.every_n_epochs; set one of them or remove it
"""


@pytest.mark.row(38, 39)
def test_every_mistake_is_told_at_once(problems):
    assert sorted(problems(MISTAKES)) == sorted(TOLD.splitlines())


@pytest.mark.row(39, 40)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer.learning_rate", value)
        for value in ("nan", "inf", "-inf", "1e400", "-1", "0", "1" + "0" * 30, '"1e-4"', "true", "[1e-4]", "{}")
    ]
    + [("train.batch_size", value) for value in ("nan", "1.0", "-1", "0", "1" + "0" * 30, '"4"', "true", "1025")]
    + [("train.seed", "0x" + "f" * 5000), ("text_encoder.train", '"true"'), ("text_encoder.train", "1")],
)
def test_a_wrong_value_is_told_with_what_is_allowed(problems, key, value):
    table, name = key.split(".")
    (problem,) = problems(f"schema = 1\n[{table}]\n{name} = {value}\n")
    assert problem.startswith(f"run.toml: {key} must be ")
    assert len(problem) < 200
    allowed = {"learning_rate": "greater than 0 and at most 1", "batch_size": "from 1 to 1024"}
    assert allowed.get(name, "") in problem


@pytest.mark.row(43)
def test_text_from_the_file_cannot_act_on_a_terminal(problems):
    text = (
        'schema = 1\n"\\u001b]0;owned\\u0007" = 1\n"a\u202eb" = 1\n[optimizer]\ntype = "\\u009b31m[bold]\\u0085"\n'
    )
    told = problems(text)
    assert len(told) == 3
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for line in told for character in line)
    assert not any("\u202e" in line for line in told)
    assert "[bold]" in told[-1]


def test_many_problems_are_counted_not_listed(problems):
    told = problems("schema = 1\n" + "\n".join(f"unknown_{number} = 1" for number in range(1000)))
    assert len(told) == 51
    assert told[-1] == "... and 950 more problems"


def test_a_table_that_is_none_is_told(problems):
    assert problems("schema = 1\nprior = 3\nconcept = 4\n") == [
        "run.toml: prior must be a table (opened by [prior]), not 3",
        "run.toml: concept must be a list of tables (each opened by [[concept]]), not 4",
    ]


def test_too_long_a_list_of_tables_is_told(problems):
    (problem,) = problems("schema = 1\n" + "[[concept]]\n" * 65)
    assert problem == "run.toml: concept holds 65 tables; at most 64 are allowed"


@pytest.mark.row(42)
def test_nul_in_a_text_is_told(problems):
    assert problems('schema = 1\n[model]\nbase = "a\\u0000b"\n') == [
        "run.toml: model.base contains a NUL character"
    ]


def test_a_negative_prompt_without_guidance_is_told(problems):
    table = '[[sample.prompts]]\nprompt = "frog"\nnegative_prompt = "toad"\nguidance_scale = '
    (problem,) = problems(f"schema = 1\n{table}7.5\n{table}1\n")
    assert problem.startswith("run.toml: sample.prompts.negative_prompt (in [[sample.prompts]] number 2)")
    assert "guidance_scale above 1" in problem
