"""A file of preview prompts in kohya's grammar."""

import time

import pytest

from trainer_core.config.prompts_file import read_prompts, with_prompts_of_file
from trainer_core.config.reader import parse_config, read_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError


@pytest.fixture
def written(tmp_path):
    def write(text, name="prompts.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def told(path, **options):
    with pytest.raises(UserError) as caught:
        read_prompts(path, **options)
    assert caught.value.code is ExitCode.CONFIG
    return caught.value.problems


def test_every_option_of_the_grammar(written):
    text = """\
# a comment

a sls frog, on a leaf --n blurry, low-res -- no --W 512 --h 768 --d 7 --s 28 --l 6.5 --ss dpmsolver++
   a well-known   frog\t--d 0
"""
    first, second = read_prompts(written(text))
    assert first.model_dump() == {
        "prompt": "a sls frog, on a leaf",
        "negative_prompt": "blurry, low-res -- no",
        "width": 512,
        "height": 768,
        "seed": 7,
        "steps": 28,
        "guidance_scale": 6.5,
    }
    assert (second.prompt, second.seed, second.steps, second.width) == ("a well-known   frog", 0, 30, None)


def test_everything_wrong_is_told_at_once_with_its_line(written):
    path = written(
        "good\nfrog --w 500 --h 8192\n--n only\nfrog --s many --d -1 --l 0.5\nfrog --x 1 --g 3.5 --ss euler_a\n"
        "frog --w 64 --w 128 --n\nfrog --n ugly --l 1\n" + "x" * 2001
    )
    text = "\n".join(told(path))
    assert all(line.startswith(f"{path}: line ") for line in text.split("\n"))
    for expected in (
        "line 2: --w must be a whole number from 64 to 4096, a multiple of 64, not 500",
        "line 2: --h must be a whole number from 64 to 4096, a multiple of 64, not 8192",
        "line 3: there is no prompt before the first option",
        "line 4: --s must be a whole number from 1 to 1000, not many",
        "line 4: --d must be",
        "line 4: --l must be a number from 1 to 50, not 0.5",
        "line 5: --x is not an option of a prompt",
        "line 5: --g belongs to other model families or to ControlNet; remove it",
        "line 5: --ss euler_a: previews are drawn with dpmsolver++ only; remove --ss",
        "line 6: --w is given twice",
        "line 6: --n has no value",
        "line 7: --n is used only with guidance_scale above 1",
        "line 8: the prompt must be text of at most 2000 characters",
    ):
        assert expected in text
    assert "line 1:" not in text


@pytest.mark.parametrize(
    ("name", "text", "already", "words"),
    [
        ("p.txt", "# nothing\n", 0, "holds no prompt"),
        ("p.txt", "frog\n" * 60, 5, "60 prompts besides the 5 of [[sample.prompts]]; there can be 64 in all"),
        ("p.json", "[]", 0, "is a .txt file with one prompt a line"),
        ("p.txt", "frog --\x1b[2J 1", 0, "\\x1b[2J is not an option"),
    ],
)
def test_files_that_cannot_be_used(written, name, text, already, words):
    assert words in told(written(text, name), already=already)[0]


def test_a_missing_file_is_named(tmp_path):
    assert told(tmp_path / "gone.txt") == [f"{tmp_path / 'gone.txt'} does not exist"]


def test_the_prompts_go_into_the_configuration_behind_its_own(written):
    path = written("from the file --d 3\n")
    config = Config.model_validate({"sample": {"prompts": [{"prompt": "own"}], "prompts_file": str(path)}})
    complete = with_prompts_of_file(config)
    path.unlink()
    assert [prompt.prompt for prompt in complete.sample.prompts] == ["own", "from the file"]
    assert parse_config(dump_config(complete), "run.toml") == complete
    assert "prompts_file" not in dump_config(complete)
    assert with_prompts_of_file(complete) is complete


def test_a_line_of_spaces_takes_no_time(written):
    started = time.process_time()
    assert "at most 2000 characters" in told(written("a" + " " * 60_000 + "b --d 1 " + "\t" * 3000))[0]
    assert time.process_time() - started < 1


def test_a_run_holds_the_prompts_and_not_the_file(written, tmp_path):
    from dbtui.runs.prepare import configure
    from trainer_core.main import _parser, _run_directory

    written("sls frog --d 3\n")
    file = tmp_path / "run.toml"
    file.write_text(
        'schema = 1\nmodel.base = "owner/name"\ndataset.train_dir = "train"\n'
        'sample = { prompts_file = "prompts.txt", num_per_prompt = 2 }\n'
    )
    config = configure(str(file))
    assert [(prompt.prompt, prompt.seed) for prompt in config.sample.prompts] == [("sls frog", 3)]
    assert config.sample.prompts_file is None
    options = _parser().parse_args([str(file), "--runs-dir", str(tmp_path / "runs")])
    made = _run_directory(file, options)
    assert read_config(made.run_toml).sample == config.sample
    written("sls frog --d three\n")
    with pytest.raises(UserError, match="line 1: --d must be a whole number"):
        configure(str(file))
