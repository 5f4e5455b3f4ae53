"""What `dbtui scan`, `plan` and `run --dry-run` show of the texts, and a concepts list on the command line."""

import json
import tomllib

import pytest

from dbtui.cli.app import run

RUN = "schema = 1\n[model]\nbase = '{model}'\n[dataset]\nresolution = [64, 64]\n{more}"


@pytest.fixture
def data(tmp_path, pictures):
    pictures("train/2_sls frog", 2)
    pictures("reg/1_frog", 4)
    (tmp_path / "train/2_sls frog/64x64-0.txt").write_text("a frog, green")
    return tmp_path


@pytest.fixture
def shown(capsys):
    """Return a function that runs a command and gives its exit code, its JSON (or text) and stderr."""

    def call(*arguments, code=0, is_json=True):
        assert run([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        return (json.loads(out) if is_json else " ".join(out.split())), err

    return call


def examples(data):
    return [(each["path"].rpartition("/")[2], each["text"]) for each in data["texts"]]


def test_scan_shows_the_texts_of_a_method_and_its_settings(data, shown):
    scan = ["scan", data / "train", "--reg", data / "reg", "--resolution", "64"]
    found, _ = shown(*scan, "--captions", "hybrid", "--set", "dataset.caption_prefix=photo,", "--json")
    assert examples(found) == [
        ("64x64-0.png", "photo, sls, green"),
        ("64x64-1.png", "photo, sls frog"),
        ("64x64-0.png", "photo, frog"),
    ]
    text, _ = shown(*scan, is_json=False)
    assert '64x64-0.png "a frog, green" 64x64-1.png "sls frog" 64x64-0.png (class) "frog"' in text
    text, _ = shown(*scan, "--set", "dataset.shuffle_caption=true", is_json=False)
    assert "they are made anew at each step" in text
    _, err = shown(*scan, "--captions", "finetune", code=2, is_json=False)
    assert "--reg: dataset.reg_dir is used only with method.captions" in err
    _, err = shown("scan", data / "train", "--set", "dataset.keep_tokens=1", code=2, is_json=False)
    assert "dataset.keep_tokens is used only with" in err


def test_plan_shows_them_too(data, shown, model_file, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(
        RUN.format(model=model_file(), more="caption_suffix = '4k'\n[method]\ncaptions = 'finetune'\n")
    )
    (data / "train/2_sls frog/64x64-1.txt").write_text("a toad")
    plan = ["plan", file, "--data", data / "train", "--quick", "--runs-dir", tmp_path / "runs"]
    found, _ = shown(*plan, "--json")
    assert examples(found) == [("64x64-0.png", "a frog, green 4k")]
    text, _ = shown(*plan, is_json=False)
    assert '64x64-0.png "a frog, green 4k"' in text
    assert "training captions alone wants hundreds of pictures" in text
    assert "--reg" not in text
    (data / "train/2_sls frog/64x64-1.txt").unlink()
    found, _ = shown(*plan, "--json", code=3)
    assert "1 picture without a caption (64x64-1.png)" in found["problems"][0]["text"]


def test_a_concepts_list_on_the_command_line(data, shown, model_file, tmp_path, capsys):
    file, concepts = tmp_path / "run.toml", tmp_path / "lists" / "concepts.json"
    file.write_text(RUN.format(model=model_file(), more=""))
    concepts.parent.mkdir()
    entry = {
        "instance_prompt": "photo of sls frog, [filewords]",
        "class_prompt": "photo of a frog",
        "instance_data_dir": "../train/2_sls frog",
        "class_data_dir": "../reg/1_frog",
        "colour": "green",
    }
    concepts.write_text(json.dumps([entry]))
    options = [file, "--concepts", concepts, "--runs-dir", tmp_path / "runs"]
    found, err = shown("plan", *options, "--quick", "--json")
    assert examples(found) == [
        ("64x64-0.png", "photo of sls frog, a frog, green"),
        ("64x64-1.png", "photo of sls frog, x64-1"),
        ("64x64-0.png", "photo of a frog"),
    ]
    assert err == f"{concepts}: 1 unknown field not taken over: colour\n"
    assert run(["run", *map(str, options), "--dry-run"]) == 0
    (concept,) = tomllib.loads(capsys.readouterr().out)["concept"]
    assert concept["instance_dir"] == str(tmp_path / "train" / "2_sls frog")
    concepts.write_text("# none\n[]")
    _, err = shown("plan", *options, code=2, is_json=False)
    assert "JSON has no comments" in err
    assert "Traceback" not in err


def test_settings_that_leave_no_trace_in_these_captions_are_remarked_on(plan, data):
    train = {"train_dir": str(data / "train")}
    (data / "train/2_sls frog/64x64-1.txt").write_text("a toad")
    settings = ("use_filename_as_caption", "wildcard")
    notes = plan(dataset={**train, **dict.fromkeys(settings, True)}).notes
    assert [note.partition(" has no effect")[0] for note in notes if "dataset." in note] == [
        f"dataset.{name}" for name in settings
    ]
    notes = plan(dataset={**train, "captions_for": "class"}).notes
    assert any(note.startswith("dataset.captions_for") and "no class pictures" in note for note in notes)
    assert not any("dataset." in note for note in plan(dataset=train).notes)


def test_captions_without_the_identifier_are_remarked_on(plan, data):
    (data / "train/2_sls frog/64x64-1.txt").write_text("SLS asleep")
    train = {"train_dir": str(data / "train")}
    (note,) = (note for note in plan(dataset=train).notes if "hybrid" in note)
    assert note.startswith('2_sls frog: 1 caption without "sls", which these pictures therefore do not teach')
    assert not any("do not teach" in note for note in plan(dataset=train, method={"captions": "hybrid"}).notes)
