"""A model tells how it was trained: its settings are repeated elsewhere from the file alone."""

import json

import pytest

from dbtui.cli.app import run as dbtui
from dbtui.presets.source import open_source
from dbtui.runs.prepare import configure
from tests.presets import first_machine as first
from tests.presets.first_machine import GENTLE, PREVIEWS, SHAPES, recipe
from tests.wizard.model_files import write_model
from trainer_core.config.carried import carried_preset
from trainer_core.config.reader import parse_config, read_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.carried import PRESET, read_carried
from trainer_core.models.hashed import LEGACY, NAME, VAE, WHOLE
from trainer_core.models.hashes import legacy_hash, whole_hash
from trainer_core.text import is_plain

PLAIN = "schema = 1\n[train]\nmax_steps = 77\n"


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Nothing that the developer used before, or has at home, plays a part."""
    monkeypatch.setenv("DBTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def models(tmp_path):
    """Return the folder where this machine keeps its models."""
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    return folder


def write_result(path, preset=PLAIN, base=None, **facts):
    """Write a model that carries a preset and names `base` as its start model by its hashes."""
    if base is not None:
        facts = {NAME: base.name, LEGACY: legacy_hash(base), WHOLE: whole_hash(base), **facts}
    return write_model(path, metadata={PRESET: preset, **facts})


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_is_repeated_elsewhere_from_its_model_alone(shape, home, elsewhere, tmp_path, capsys):
    run = first.make_run(home, SHAPES[shape] + first.BINDINGS + PREVIEWS)
    first.leave_traces(run)
    trained = read_config(run.run_toml)
    text = carried_preset(trained)
    result = write_result(tmp_path / "frog.safetensors", text)
    given = elsewhere()
    assert dbtui(["preset", "check", str(result)]) == 0
    config = configure(str(result), **given)
    assert recipe(config) == recipe(trained)
    assert (config.model.base, config.dataset.train_dir) == (given["model"], given["data"])
    assert first.traces_in(text, run) == []
    assert "frog" not in text
    assert "every_n_steps" not in text
    assert len(text) < 4096
    assert configure(str(result), **given, overrides=["train.seed=7"]).train.seed == 7
    assert capsys.readouterr().out.startswith("ok  ")


def test_it_builds_on_the_shipped_preset_again(home, tmp_path, capsys):
    run = first.make_run(home, GENTLE + first.BINDINGS)
    result = str(write_result(tmp_path / "frog.safetensors", carried_preset(read_config(run.run_toml))))
    assert dbtui(["preset", "diff", result, str(run.path)]) == 0
    assert dbtui(["preset", "diff", result, "sd15-12gb"]) == 1
    assert "optimizer.learning_rate: 5e-07 -> 1e-06" in capsys.readouterr().out
    assert dbtui(["preset", "new", "gentle", "--from", result, "-o", "-"]) == 0
    printed = capsys.readouterr()
    assert 'extends = "sd15-12gb"' in printed.out
    assert "with 2 settings of its own" in printed.err
    assert dbtui(["preset", "show", result, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["origin"], shown["settings"]["train"]["epochs"]) == ("model", 3)


@pytest.mark.parametrize("name", ["annabelle-gentle", "ANNAS-TOWER.2", "hf_abcdefghijklmnopqrstuvwx"])
def test_a_presets_name_that_tells_who_or_where_stays_behind(name, home):
    text = f'schema = 1\n[preset]\nname = "{name}"\nauthor = "A"\ntitle = "T"\n'
    assert "[preset]" not in carried_preset(parse_config(text, "x"))
    kept = carried_preset(parse_config(text.replace(name, "gentle"), "x"))
    assert 'name = "gentle"' in kept
    assert "author" not in kept


@pytest.mark.parametrize("as_folder", [False, True])
def test_the_start_model_is_found_by_its_hash_and_is_never_the_result(as_folder, models, tmp_path):
    base = write_model(tmp_path / "first" / "sd15.safetensors", extra=("a",))
    result = write_result(models / "sd15.safetensors", base=base)
    if as_folder:
        folder = tmp_path / "frog"
        result.rename(_made(folder / "unet") / "diffusion_pytorch_model.safetensors")
        result = folder
    other = write_model(models / "other.safetensors", extra=("b",))
    moved = base.rename(models / "renamed.safetensors")
    told = []
    config = configure(str(result), data=str(tmp_path), tell=told.append)
    assert (config.model.base, config.train.max_steps) == (str(moved), 77)
    assert "found by its hash" in told[-1]
    config = configure(str(result), data=str(tmp_path), model=str(models), tell=told.append)
    assert config.model.base == str(moved)
    told.clear()
    assert configure(str(result), data=str(tmp_path), model=str(other), tell=told.append).model.base == str(other)
    assert 'trained from "sd15.safetensors", and other.safetensors is another file' in told[-1]
    moved.unlink()
    with pytest.raises(UserError, match=r'was trained from "sd15.safetensors", which is not found here; give it'):
        configure(str(result), data=str(tmp_path))
    if not as_folder:
        config = configure(str(result), model=str(result), data=str(tmp_path))  # the person says so
        assert config.model.base == str(result)


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def test_the_start_model_of_a_result_in_its_runs_folder(home, tmp_path):
    home.joinpath("models").mkdir()
    base = write_model(home / "models" / "sd15.safetensors")
    run = first.make_run(home, GENTLE + first.BINDINGS)
    for facts in ({"base": base}, {}):  # a Diffusers folder has no hash
        result = write_result(run.path / "output" / "frog.safetensors", **facts)
        assert configure(str(result), data=str(tmp_path)).model.base == str(base)
    result = write_result(run.path / "output" / "frog.safetensors", base=base)
    write_model(base, extra=("changed",))
    with pytest.raises(UserError, match="is not found here"):
        configure(str(result), data=str(tmp_path))


def test_everything_that_is_missing_is_said_at_once(tmp_path, capsys):
    result = write_result(tmp_path / "frog.safetensors", **{NAME: "owner/base", VAE: "\x1b[31mvae"})
    assert dbtui(["run", str(result)]) == ExitCode.CONFIG
    note, *errors = capsys.readouterr().err.splitlines()
    assert 'trained with the VAE "\\x1b[31mvae"' in note
    assert [line.split(":")[1] for line in errors] == [" no start model", " no pictures"]
    assert '"owner/base"' in errors[0]  # named, and not fetched: anyone may have written it
    assert dbtui(["plan", str(result), "--model", str(tmp_path)]) == ExitCode.CONFIG
    assert "none of the models in" in capsys.readouterr().err


NO_SETTINGS = {
    "no preset inside": (lambda path: write_model(path / "x.safetensors"), 2, "carries no settings"),
    "a pickle": (lambda path: _written(path / "x.ckpt", b"PK\x03\x04"), 4, "is a pickle"),
    "nothing": (lambda path: path / "x.safetensors", 4, "no such file"),
    "damaged": (lambda path: _written(path / "x.safetensors", b"\x00" * 64), 4, "damaged"),
    "a folder of pickles": (lambda path: _made(path / "x" / "unet").parent, 4, "is no .safetensors file"),
}


def _written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("case", NO_SETTINGS)
@pytest.mark.parametrize("command", ["run", "preset show", "preset diff sd15-8gb"])
def test_what_carries_no_settings_is_told(case, command, tmp_path, capsys):
    make, code, words = NO_SETTINGS[case]
    assert dbtui([*command.split(), str(make(tmp_path))]) == code
    message = capsys.readouterr().err
    assert words in message
    assert len(message.splitlines()) == 1


HOSTILE = "\x1b]0;owned\x07[bold]\u202e"
QUOTED = HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\u00")
WRONG = {
    "a schema of the future": (37, "schema = 99\n", "newer dbtui"),
    "an unknown setting": (38, "schema = 1\n[train]\nmax_stepz = 3\n", "did you mean max_steps"),
    "a number as text": (39, 'schema = 1\n[optimizer]\nlearning_rate = "1e-4"\n', "remove the quotes"),
    "not a number": (40, "schema = 1\n[optimizer]\nlearning_rate = nan\n", "learning_rate must be"),
    "no TOML": (41, "schema = 1\n[train\n", "line 2"),
    "nothing": (41, "", "schema is missing"),
    "deep": (41, "a = " + "[" * 30_000, "nested too deeply"),
    "absurdly large": (41, "schema = 1\n# " + "x" * 2**20, "larger than 64 KB"),
    "half a character": (41, 'schema = 1\n[preset]\ntitle = "\ud800"\n', "not UTF-8"),
    "a model": (42, 'schema = 1\n[model]\nbase = "/etc/passwd"\n', "model.base belongs to one machine"),
    "a folder": (42, 'schema = 1\n[save]\noutput_dir = "~/.ssh"\n', "belongs to one machine"),
    "a way out": (42, 'schema = 1\n[save]\noutput_name = "../../x"\n', "save.output_name"),
    "a place in a text": (42, 'schema = 1\n[preset]\ntitle = "see $HOME/x"\n', "an environment variable"),
    "a secret": (42, f"schema = 1\n# {first.TOKENS['HF_TOKEN']}\n", "looks like a Hugging Face token"),
    "another preset": (42, 'schema = 1\nextends = "mine"\n', "cannot be followed here"),
    "a command": (42, 'schema = 1\n[hooks]\non_finish = "touch x"\n', "hooks is not a table"),
    "escapes": (43, f'schema = 1\n[train]\n"{QUOTED}" = "{QUOTED}"\n', "owned"),
}
COMMANDS = [
    "run {model} --model {base} --data {folder}",
    "plan {model} --model {base} --data {folder} --set train.seed=1",
    "preset check {model}",
    "preset new copy --from {model} -o -",
    "preset diff sd15-8gb {model}",
    "preset show {model} --resolved",
    "scan --config {model}",
]


@pytest.mark.parametrize("case", [pytest.param(name, marks=pytest.mark.row(WRONG[name][0], 44)) for name in WRONG])
def test_hostile_settings_are_refused_and_nothing_else_happens(case, own_presets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (own_presets / "mine.toml").write_text("schema = 1\n")
    _, text, words = WRONG[case]
    base = write_model(tmp_path / "base.safetensors")
    model = write_result(tmp_path / f"{HOSTILE.replace('/', '')}.safetensors", text, base, **{NAME: HOSTILE})
    before = sorted(tmp_path.rglob("*"))
    for command in COMMANDS:
        words_of = {"model": str(model), "base": str(base), "folder": str(tmp_path)}
        assert dbtui([part.format(**words_of) for part in command.split()]) == ExitCode.CONFIG, command
        printed = capsys.readouterr()
        assert words in printed.err, command
        assert all(is_plain(line) for line in (printed.out + printed.err).splitlines())
        assert len(printed.err) < 3000
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.row(44)
def test_what_shows_a_models_settings_shows_them_escaped(tmp_path, capsys):
    text = f'schema = 1\n[preset]\ntitle = "{QUOTED}"\n'
    result = write_result(tmp_path / f"{HOSTILE}.safetensors", text)
    for command in ("preset show", "preset check", "preset diff sd15-8gb", "preset new copy -o - --from"):
        dbtui([*command.split(), str(result)])
    printed = capsys.readouterr()
    assert all(is_plain(line) for line in (printed.out + printed.err).splitlines())
    assert "owned" in printed.err


def test_a_preset_of_the_library_goes_before_a_folder_of_that_name(own_presets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (own_presets / "frog.toml").write_text("schema = 1\n")
    _made(tmp_path / "frog" / "unet")
    assert open_source("frog", tmp_path).kind == "preset"
    write_result(tmp_path / "frog" / "unet" / "diffusion_pytorch_model.safetensors")
    assert open_source("./frog", tmp_path).config.train.max_steps == 77
    assert read_carried(tmp_path / "frog").text == PLAIN
