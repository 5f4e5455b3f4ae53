"""`dbtui preset new`: a run's settings travel to another machine, and nothing else does."""

import json

import pytest

from dbtui.cli.app import run as dbtui
from dbtui.presets.compose import compose
from dbtui.presets.library import find
from dbtui.presets.source import open_source
from dbtui.runs.prepare import configure
from tests.presets import first_machine as first
from tests.presets.first_machine import GENTLE, PREVIEWS, SHAPES, recipe
from trainer_core.config.fields import all_fields
from trainer_core.config.reader import check_preset, read_config
from trainer_core.text import is_plain


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_is_repeated_elsewhere_and_nothing_of_its_machine_goes_along(
    shape, kept, home, own_presets, elsewhere, capsys
):
    run = first.make_run(home, SHAPES[shape] + first.BINDINGS + PREVIEWS)
    first.leave_traces(run)
    options = ["--from", str(run.path), "--measured", *(["--keep-prompts"] if kept else [])]
    assert dbtui(["preset", "new", "gentle", *options]) == 0
    written = own_presets / "gentle.toml"
    given = elsewhere(written)
    assert dbtui(["preset", "check", "gentle"]) == 0
    config = configure("gentle", **given)
    trained = read_config(run.run_toml)
    assert recipe(config, with_prompts=kept) == recipe(trained, with_prompts=kept)
    assert bool(config.sample.prompts) == kept == ("frog" in written.read_text())
    assert (config.sample.every_n_steps, config.save.output_name, config.hub.push) == (
        100 if kept else None,
        None,
        False,
    )
    assert first.traces_in(written.read_text(), run) == []
    capsys.readouterr()


def test_one_subject_is_kept_with_the_prompts(home, own_presets, elsewhere):
    concept = '[[concept]]\nidentifier = "sls"\nclass = "frog"\ninstance_dir = "{home}/a"\nrepeats = 7\n'
    run = first.make_run(home, f'{GENTLE}[model]\nbase = "owner/name"\n{concept}')
    assert dbtui(["preset", "new", "gentle", "--from", str(run.path), "--keep-prompts"]) == 0
    config = configure("gentle", **elsewhere(own_presets / "gentle.toml") | {"data": str(home)})
    trained = read_config(run.run_toml)
    assert recipe(config, with_prompts=True) == recipe(trained, with_prompts=True)
    assert (config.concept[0].identifier, config.concept[0].repeats) == ("sls", 7)


@pytest.mark.parametrize(
    ("shape", "base", "own"),
    [
        ("over a shipped preset", "sd15-12gb", 2),
        ("lora", "sd15-lora-8gb", 3),
        ("complete", None, 0),
        ("not as the shipped preset of that name", None, 0),
        ("unchanged", "sd15-8gb", 0),
    ],
)
def test_it_says_only_what_a_shipped_preset_does_not(shape, base, own, home, capsys):
    run = first.make_run(home, SHAPES[shape])
    made = compose(open_source(str(run.path), home), "gentle")
    assert (made.extends, made.own) == (base, own)
    assert check_preset(made.text, "x", find_preset=lambda name: find(name).text()) == made.config
    assert compose(open_source(str(run.path), home), "gentle", complete=True).extends is None
    assert dbtui(["preset", "new", "gentle", "--from", str(run.path), "-o", "-"]) == 0
    printed = capsys.readouterr()
    assert printed.out == made.text
    assert (f"extends {base}" if base else "it extends nothing") in printed.err


def test_a_preset_of_ones_own_is_not_built_on_but_the_shipped_one_below_it(own_presets):
    (own_presets / "mine.toml").write_text(f"schema = 1\n{GENTLE}")
    (own_presets / "slower.toml").write_text('schema = 1\nextends = "mine"\n[train]\nbatch_size = 2\n')
    assert compose(open_source("sd15-8gb", own_presets), "gentle").extends == "sd15-8gb"
    made = compose(open_source("slower", own_presets), "gentle")
    assert (made.extends, made.own) == ("sd15-12gb", 3)
    (own_presets / "mine.toml").write_text("schema = 1\n")
    assert compose(open_source("slower", own_presets), "gentle").extends is None


def test_what_is_left_out_is_told(home, capsys):
    run = first.make_run(home, GENTLE + first.BINDINGS + PREVIEWS)
    assert dbtui(["preset", "new", "gentle", "--from", str(run.path), "--json"]) == 0
    printed = capsys.readouterr()
    left = {each["key"]: each["why"] for each in json.loads(printed.out)["left_out"]}
    assert left["model.base"] == left["hub.repo_id"] == "machine"
    assert left["sample.prompts.prompt"] == left["sample.every_n_steps"] == "prompt"
    assert left["save.output_name"] == left["hub.push"] == left["log.tensorboard"] == "own"
    assert all(key in printed.err for key in left)


def test_measurements_and_words_are_written(home, own_presets):
    run = first.make_run(home, GENTLE)
    first.leave_traces(run)
    about = ["--title", "Gentle", "--description", "Slow.", "--author", "A. N.", "--license", "CC-BY-4.0"]
    assert (
        dbtui(
            [
                "preset",
                "new",
                "gentle",
                "--from",
                "sls-frog-1",
                "--runs-dir",
                str(home / "runs"),
                "--measured",
                *about,
            ]
        )
        == 0
    )
    preset = check_preset(find("gentle").text(), "x", find_preset=lambda name: find(name).text()).preset
    assert (preset.title, preset.description, preset.author, preset.license) == (
        "Gentle",
        "Slow.",
        "A. N.",
        "CC-BY-4.0",
    )
    (measured,) = preset.measured
    assert (measured.gpu, measured.peak_vram_gb, measured.it_per_s) == ("NVIDIA RTX 3060", 10.13, 2.0)
    assert measured.version


@pytest.mark.row(43)
def test_hostile_names_and_values_are_escaped(home, own_presets, capsys):
    prompt = '"\\u001b]0;owned\\u0007 [bold]\\u202e x"'
    settings = f"{GENTLE}[[sample.prompts]]\nprompt = {prompt}\n"
    run = first.make_run(home, settings)
    first.leave_traces(run, gpu={**first.GPU, "name": "RTX\x1b]0;owned\x07\u202e"})
    options = ["--from", str(run.path), "--keep-prompts", "--measured", "--title", "a\x1b[31m\u2028b\x85"]
    assert dbtui(["preset", "new", "gentle", *options]) == 0
    printed = capsys.readouterr()
    lines = (own_presets / "gentle.toml").read_text().splitlines()
    assert all(is_plain(line) for line in [*lines, *printed.out.splitlines(), *printed.err.splitlines()])
    assert dbtui(["preset", "check", "gentle"]) == 0


@pytest.mark.row(42)
@pytest.mark.parametrize(
    "prompt",
    [
        "from /home/annabelle/frog",
        "by hf_abcdefghijklmnopqrstuvwx",
        "winter-frog-9000 in snow",
        "see ~/frog",
        "$HOME",
    ],
)
def test_a_kept_prompt_that_holds_a_secret_or_a_place_is_left_out(prompt, home):
    run = first.make_run(home, f'{GENTLE}[sample]\nevery_n_steps = 9\n[[sample.prompts]]\nprompt = "{prompt}"\n')
    made = compose(open_source(str(run.path), home), "gentle", keep_prompts=True)
    assert prompt not in made.text
    assert made.config.sample.every_n_steps is None
    assert {"secret", "place"} & {each.why for each in made.left_out if each.key == "sample.prompts.prompt"}


REFUSED = {
    "a name of a shipped preset": (["sd15-8gb"], "dbtui ships a preset named sd15-8gb"),
    "no name": (["../gentle"], "cannot be the name of a preset"),
    "a name that acts": (["\x1b[31m"], "cannot be the name of a preset"),
    "a title with a place": (["gentle", "--title", "as in /home/annabelle/x"], "preset.title names a place"),
    "an author with a secret": (["gentle", "--author", "winter-frog-9000"], "preset.author looks like a secret"),
    "a title that is too long": (["gentle", "--title", "x" * 121], "at most 120 characters"),
    "another name for the file": (["gentle", "-o", "other.toml"], "would be found as another preset"),
    "a measurement of no training": (["gentle", "--measured"], "is not done"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_preset_is_not_written(case, home, own_presets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, words = REFUSED[case]
    run = first.make_run(home, GENTLE)
    before = sorted(tmp_path.rglob("*"))
    assert dbtui(["preset", "new", *arguments, "--from", str(run.path)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert not any(token in message for token in first.TOKENS.values())
    assert "\x1b" not in message
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_overwritten(home, own_presets, tmp_path, capsys):
    run = first.make_run(home, GENTLE)
    (own_presets / "gentle.toml").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "gentle.toml").symlink_to(tmp_path / "nowhere")
    for more in ([], ["-o", str(tmp_path / "out")]):
        assert dbtui(["preset", "new", "gentle", "--from", str(run.path), *more]) == 2
        assert "not overwritten" in capsys.readouterr().err
    assert (own_presets / "gentle.toml").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_from_what_it_is_made(home, own_presets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(home)
    run = first.make_run(home, GENTLE, "mine")
    (run.path / "run.2.toml").write_text(run.run_toml.read_text().replace("5e-07", "3e-07"))
    assert open_source("runs/mine", home / "runs").config.optimizer.learning_rate == 3e-7
    assert open_source("runs/mine/run.toml", home / "runs").config.optimizer.learning_rate == 3e-7
    assert open_source("runs/mine/run.2.toml", home / "runs").kind == "file"
    (own_presets / "mine.toml").write_text("schema = 1\n")
    for named, words in (("mine", "a run and a preset"), ("nothing", "is no preset"), ("", "an empty name")):
        assert dbtui(["preset", "new", "gentle", "--from", named]) == 2
        assert words in capsys.readouterr().err
    assert dbtui(["preset", "new", "gentle", "--from", "runs/mine/run.2.toml", "--measured"]) == 2
    assert "--measured is of a run" in capsys.readouterr().err


def test_every_free_text_is_known_to_be_of_a_person_or_to_be_none():
    """A new setting that takes any text needs a thought on whether a preset may carry it."""
    technical = {"dataset.caption_separator", "dataset.secondary_separator", "dataset.keep_tokens_separator"}
    free = {
        key
        for key, field in all_fields().items()
        if field.value.kind == "text" and not field.value.pattern and not key.startswith("preset.")
    }
    known = {key for key, field in all_fields().items() if field.binding or field.about.personal}
    assert free - known == technical


def test_the_prompts_of_a_file_are_kept_in_the_preset_itself(tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("a sls frog --d 7\n")
    (tmp_path / "frog.toml").write_text('schema = 1\n[sample]\nprompts_file = "prompts.txt"\nafter_save = false\n')
    source = open_source(str(tmp_path / "frog.toml"), tmp_path)
    assert compose(source, "gentle", keep_prompts=True).config.sample.prompts[0].seed == 7
    assert compose(source, "gentle").config.sample.prompts == []


@pytest.mark.row(44)
def test_nothing_of_a_files_name_acts_on_the_terminal(tmp_path, capsys):
    hostile = tmp_path / "\x1b]0;owned\x07\u202e.toml"
    hostile.write_text("schema = 1\n")
    for named in (str(hostile), str(hostile.with_name("\x1b[31m.toml")), "\x1b[31m"):
        dbtui(["preset", "new", "gentle", "--from", named, "-o", "-"])
        dbtui(["preset", "diff", "sd15-8gb", named])
    printed = capsys.readouterr()
    assert all(is_plain(line) for line in [*printed.out.splitlines(), *printed.err.splitlines()])
    assert "owned" in printed.err


def test_several_subjects_are_told_to_need_a_run_file(home, own_presets, capsys):
    concept = '[[concept]]\nidentifier = "sls"\nclass = "frog"\ninstance_dir = "{home}/a"\n'
    run = first.make_run(home, GENTLE + concept + concept.replace("sls", "shs"))
    assert dbtui(["preset", "new", "gentle", "--from", str(run.path), "--keep-prompts"]) == 0
    told = capsys.readouterr().err
    assert "a run file that extends it must give each its instance_dir" in told
    assert "train with it" not in told
    assert "--keep-prompts keeps" not in told
    assert dbtui(["preset", "check", "gentle"]) == 0
