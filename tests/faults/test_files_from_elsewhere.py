"""Presets and models that somebody else made, through the commands themselves: refused clearly, acted on never."""

import os
import pickle
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.evidence import well_told
from trainer_core.errors import ExitCode

LONG = pytest.mark.faults
HOSTILE = "\x1b]0;owned\x07\x1b[31m[bold]x[/foo][@click=app.quit]\u202e"
PRESETS = [
    pytest.param("schema = 99\n", "newer", marks=pytest.mark.row(37)),
    pytest.param(
        "schema = 1\n[optimizer]\nlearnig_rate = 1e-6\n", "did you mean", marks=[pytest.mark.row(38), LONG]
    ),
    pytest.param(
        'schema = 1\n[optimizer]\nlearning_rate = "1e-4"\n', "learning_rate", marks=[pytest.mark.row(39), LONG]
    ),
    pytest.param("schema = 1\n[train]\nbatch_size = true\n", "batch_size", marks=[pytest.mark.row(39), LONG]),
    pytest.param(
        "schema = 1\n[optimizer]\nlearning_rate = nan\n", "learning_rate", marks=[pytest.mark.row(40), LONG]
    ),
    pytest.param(
        "schema = 1\n[optimizer]\nlearning_rate = 1e400\n", "learning_rate", marks=[pytest.mark.row(40), LONG]
    ),
    pytest.param("schema = 1\n[train]\nbatch_size = 0\n", "batch_size", marks=[pytest.mark.row(40), LONG]),
    pytest.param(f"schema = 1\n[train]\nmax_steps = {10**30}\n", "max_steps", marks=[pytest.mark.row(40), LONG]),
    pytest.param("schema = 1\n[train\n", "line", marks=[pytest.mark.row(41), LONG]),
    pytest.param("a = " + "[" * 5000 + "\n", "preset.toml", marks=pytest.mark.row(41)),
    pytest.param("schema = 1\nx = '" + "y" * 10**7 + "'\n", "preset.toml", marks=[pytest.mark.row(41), LONG]),
    pytest.param('schema = 1\nextends = "../../secret"\n', "secret", marks=[pytest.mark.row(42), LONG]),
    pytest.param('schema = 1\nextends = "/etc/passwd"\n', "passwd", marks=[pytest.mark.row(42), LONG]),
    pytest.param(
        'schema = 1\n[save]\noutput_name = "../../out"\n', "output_name", marks=[pytest.mark.row(42), LONG]
    ),
    pytest.param('schema = 1\n[save]\noutput_name = "~/out"\n', "output_name", marks=[pytest.mark.row(42), LONG]),
    pytest.param(
        'schema = 1\n[save]\noutput_name = "a\\u0000b"\n', "output_name", marks=[pytest.mark.row(42), LONG]
    ),
]


@pytest.mark.parametrize(("text", "named"), PRESETS)
def test_a_preset_is_refused_by_name(dbtui, tmp_path, text, named):
    (tmp_path / "secret.toml").write_text("schema = 1\n")
    folder = tmp_path / "presets" / "mine"
    folder.mkdir(parents=True)
    (folder / "preset.toml").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    begin = time.monotonic()
    done = dbtui("preset", "check", folder / "preset.toml")
    assert time.monotonic() - begin < 30, "the command itself, on a machine that is busy"
    assert done.returncode == ExitCode.CONFIG, done.stdout + done.stderr
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert named in told
    assert len(told) < 3000
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.faults
@pytest.mark.row(42)
def test_a_link_out_of_the_presets_is_not_followed(dbtui, tmp_path):
    (tmp_path / "outside.toml").write_text("schema = 1\n")
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    (folder / "inside.toml").symlink_to(tmp_path / "outside.toml")
    done = dbtui("preset", "list", DBTUI_CONFIG_DIR=str(tmp_path / "config"))
    assert done.returncode == 0
    assert "inside" not in done.stdout


@pytest.mark.row(43, 44)
def test_nothing_hostile_acts_on_a_terminal(run_file, tmp_path):
    """A pty gets the messages about a preset, a dataset and a run file full of escapes."""
    from tests.process.conftest import Terminal

    quoted = HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\u00")
    preset = tmp_path / "preset.toml"
    preset.write_text(f'schema = 1\n[preset]\ntitle = "{quoted}"\n[train]\n"{quoted}" = "{quoted}"\n')
    pictures = tmp_path / "train" / f"2_{HOSTILE.replace('/', '')} frog"
    pictures.mkdir(parents=True)
    (pictures / f"{HOSTILE.replace('/', '')}.jpg").write_bytes(b"no picture")
    plan = ["plan", run_file, "--set", f"dataset.train_dir={tmp_path / 'train'}", "--runs-dir", tmp_path / "runs"]
    for words in (["preset", "check", preset], plan):
        screen = Terminal([sys.executable, "-m", "dbtui", *map(str, words)], size=(100, 30))
        try:
            assert screen.end(120) in {ExitCode.CONFIG, ExitCode.DATASET}
            assert "owned" in screen.text, "it is shown"
            assert "\x1b]0" not in screen.text
            assert "\x07" not in screen.text
            assert "\u202e" not in screen.text
            assert "Traceback" not in screen.text
        finally:
            screen.close()


def header(text: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + data


ONE = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
MODELS = {
    "empty.safetensors": b"",
    "short.safetensors": b"\x10\0\0",
    "lie.safetensors": struct.pack("<Q", 10**15) + b"{}",
    "overlap.safetensors": header(ONE + b',"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', bytes(12)),
    "hole.safetensors": header(ONE + b',"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}', bytes(16)),
    "trailing.safetensors": header(ONE + b"}", bytes(20)),
    "cut.safetensors": header(ONE + b"}", bytes(4)),
    "pickle.safetensors": pickle.dumps({"state_dict": {}}),
}


@pytest.mark.row(48)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[LONG] if name != "overlap.safetensors" else []) for name in MODELS]
)
def test_a_damaged_model_is_refused_before_anything_is_started(dbtui, run_file, tmp_path, name):
    (tmp_path / name).write_bytes(MODELS[name])
    done = dbtui("run", run_file, "--model", tmp_path / name, "--runs-dir", tmp_path / "runs")
    assert done.returncode == ExitCode.MODEL, done.stderr
    assert "Traceback" not in done.stderr
    assert name in done.stderr
    assert not (tmp_path / "runs").exists()


class Canary:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.row(49)
def test_a_hostile_ckpt_in_a_run(make_run, tmp_path, start):
    import torch

    from tests.faults.evidence import console, ended_well_told

    evil = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(2), "b": Canary(tmp_path / "canary")}}, evil)
    run = make_run(tmp_path / "runs", f"model.base={evil}")
    before = "import os; os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'"
    text = ended_well_told(run, start(run, before=before).wait(), ExitCode.MODEL)
    assert "evil.ckpt" in text, console(run)
    assert not (tmp_path / "canary").exists()


@pytest.mark.faults
@pytest.mark.row(50)
def test_code_in_a_models_folder_is_not_imported(make_run, run_file, tmp_path, start):
    import json

    from tests.faults.evidence import console

    subprocess.run(
        [sys.executable, "-m", "dbtui", "convert", run_file.with_name("tiny.safetensors"), tmp_path / "folder/"],
        check=True,
        capture_output=True,
    )
    spoil = f"import os\nos.mkdir({str(tmp_path / 'canary')!r})\n"
    folder = tmp_path / "folder"
    for name in ("pipeline.py", "my_pipeline.py", "unet/my_unet.py", "unet/__init__.py", "__init__.py"):
        (folder / name).write_text(spoil)
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "_class_name": ["my_pipeline", "Evil"],
        "custom_pipeline": "pipeline.py",
        "unet": ["my_unet", "Evil"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    unet = json.loads((folder / "unet/config.json").read_text())
    unet["auto_map"] = {"AutoModel": "my_unet.Evil"}
    (folder / "unet/config.json").write_text(json.dumps(unet))
    run = make_run(tmp_path / "runs", f"model.base={folder}", "train.max_steps=1", "save.every_n_steps=1")
    status = start(run).wait()
    assert not (tmp_path / "canary").exists()
    assert status in {ExitCode.DONE, ExitCode.MODEL}, console(run)
    assert "Traceback" not in console(run)


@pytest.mark.row(45)
@pytest.mark.parametrize(
    "name", ["gone.safetensors", *(pytest.param(name, marks=LONG) for name in ("words.safetensors", "folder"))]
)
def test_a_model_that_is_none_is_told_before_the_pictures_are_read(make_run, tmp_path, start, name):
    from tests.faults.evidence import ended_well_told, events

    (tmp_path / "words.safetensors").write_text("not a model")
    (tmp_path / "folder").mkdir()
    run = make_run(tmp_path / "runs", f"model.base={tmp_path / name}")
    assert name in ended_well_told(run, start(run).wait(), ExitCode.MODEL)
    assert not [each for each in events(run, "phase") if each["name"] in {"cache", "train"}]


@pytest.mark.row(46)
@pytest.mark.faults
def test_the_hub_is_out_of_reach(dbtui, run_file, tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = dbtui("run", run_file, "--model", "owner/never-fetched", "--runs-dir", tmp_path / "runs", **offline)
    told = done.stdout + done.stderr
    assert done.returncode == ExitCode.MODEL, told
    assert "hf download owner/never-fetched" in well_told(told)
