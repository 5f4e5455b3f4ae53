"""The trainer as a process: stopped by a signal it saves and can be resumed; the bundle trains the same."""

import getpass
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

import trainer_core
from dbtui.cli.app import run as command
from dbtui.runs.summary import summarize
from tests.presets.first_machine import recipe
from trainer_core.config.reader import parse_config, read_config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode
from trainer_core.run.directory import create_run
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive
from trainer_core.suggestion import suggest, there

TRAINER = [sys.executable, "-m", "trainer_core"]
STEPS = 20


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    from dbtui.demo.world.write import write_frogs
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    root = tmp_path_factory.mktemp("trainer")
    write_frogs(root / "train" / "2_sls frog", 2, subject=True)
    write_frogs(root / "reg" / "1_frog", 3, subject=False)
    save_model(build_tiny(), root / "tiny", format="safetensors", precision=None, metadata={})
    path = root / "run.toml"
    path.write_text(
        f"""
schema = 1
model.base = "tiny.safetensors"
dataset = {{ train_dir = "train", reg_dir = "reg", resolution = [64, 64] }}
optimizer = {{ type = "adamw", learning_rate = 1e-4 }}
train = {{ max_steps = {STEPS}, cpu_threads = 1, workers = 1 }}
save = {{ output_name = "frog", every_n_steps = 15 }}
sample = {{ every_n_steps = 10, prompts = [{{ prompt = "sls frog", steps = 2 }}] }}
"""
    )
    return path


@pytest.fixture(scope="module")
def finished(run_file, upload_hub, tmp_path_factory):
    """The uninterrupted run; it uploads its model to a Hub on this machine and logs for TensorBoard."""
    more = ("hub.push=true", "hub.repo_id=owner/frog", "log.tensorboard=true")
    environment = {"HF_ENDPOINT": upload_hub["url"], "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_" + "t" * 30}
    return finish(run_file, tmp_path_factory.mktemp("whole"), *more, **environment)


def new_run(run_file, runs_dir, *overrides):
    return create_run(runs_dir, "frog", dump_config(read_config(run_file, overrides=overrides)))


def finish(run_file, runs_dir, *overrides, **environment):
    run = new_run(run_file, runs_dir, *overrides)
    env = {**os.environ, **environment}
    command = [*TRAINER, str(run.path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)
    assert (result.returncode, result.stderr) == (0, "")  # the libraries' noise reaches nobody
    return run


def events(run, kind):
    return [event for event in EventReader(run.events).poll() if event["kind"] == kind]


def losses(run):
    steps = {}
    for event in EventReader(run.events).poll():
        if event["kind"] == "resumed":
            steps = {step: loss for step, loss in steps.items() if step <= event["from_step"]}
        if event["kind"] == "step":
            steps[event["step"]] = event["loss"]
    return steps


def test_the_run_directory_tells_the_whole_story(finished, run_file):
    log = EventReader(finished.events).poll()
    assert log[0]["kind"] == "format"
    assert log[-1]["kind"] == "finished"
    assert sorted(losses(finished)) == list(range(1, STEPS + 1))
    assert [event["step"] for event in events(finished, "sample")] == [10, 20]
    assert [Path(event["path"]).name for event in events(finished, "saved")] == [
        "frog-step00000015.safetensors",
        "frog.safetensors",
    ]
    assert [event["step"] for event in events(finished, "validation")] == [0, 15, STEPS]
    found = summarize(finished).state.course
    assert suggest(found, there(finished)).is_measured
    assert log[-1]["outputs"] == [str(finished.output / "frog.safetensors")]
    assert json.loads(finished.process_json.read_text())["versions"]["torch"]
    assert read_config(finished.run_toml).optimizer == read_config(run_file).optimizer
    assert all((finished.path / event["path"]).is_file() for event in events(finished, "sample"))
    with safe_open(finished.output / "frog.safetensors", "pt") as file:
        assert file.metadata()["modelspec.architecture"] == "stable-diffusion-v1"
        assert not [value for value in file.metadata().values() if str(run_file.parent) in value]


def test_the_model_is_on_the_hub_and_the_numbers_in_the_log(finished, upload_hub):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = finished.output / "frog.safetensors"
    assert upload_hub["repository"]["frog.safetensors"] == (model.read_bytes(), True)
    (uploaded,) = events(finished, "uploaded")
    assert (uploaded["url"], uploaded["step"]) == (f"{upload_hub['url']}/owner/frog", STEPS)
    (folder,) = (finished.path / "logs").iterdir()
    log = EventAccumulator(str(folder))
    log.Reload()
    assert {event.step: event.value for event in log.Scalars("loss")} == pytest.approx(losses(finished))
    assert [picture.step for picture in log.Images("samples/0")] == [10, 20]
    assert b"hf_ttt" not in b"".join(path.read_bytes() for path in finished.path.iterdir() if path.is_file())


@pytest.mark.row(3, 34)
def test_sigterm_saves_and_a_resume_ends_with_the_same_weights(finished, run_file, tmp_path):
    run = new_run(run_file, tmp_path)
    process = subprocess.Popen([*TRAINER, str(run.path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for_step(run, process, 4)
    process.send_signal(signal.SIGSTOP)  # it must not reach its end while another one tries
    second = subprocess.run([*TRAINER, str(run.path)], capture_output=True, text=True, check=False, timeout=120)
    assert second.returncode == ExitCode.LOCKED
    assert str(process.pid) in second.stderr
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == ExitCode.STOPPED
    stopped_at = events(run, "failed")[0]
    assert "SIGTERM" in stopped_at["text"]
    assert events(run, "checkpoint")
    detached = [sys.executable, "-m", "dbtui", "resume", str(run.path), "--detach"]
    subprocess.run(detached, check=True, timeout=120)
    assert summarize(run).status == "running"  # at once, while its libraries are still being imported
    wait_for_end(run)
    assert events(run, "resumed")[0]["from_step"] >= 4
    assert losses(run) == losses(finished)
    assert_same_weights(run.output / "frog.safetensors", finished.output / "frog.safetensors")
    again = subprocess.run([*TRAINER, str(run.path)], capture_output=True, text=True, check=False, timeout=120)
    assert again.returncode == ExitCode.RESUME
    assert events(run, "failed") == [stopped_at]


@pytest.mark.slow
def test_a_failed_final_save_loses_nothing(finished, run_file, tmp_path):
    run = new_run(run_file, tmp_path)
    blocker = run.output / "frog.safetensors" / "in the way"
    blocker.mkdir(parents=True)
    failed = subprocess.run([*TRAINER, str(run.path)], capture_output=True, text=True, check=False, timeout=300)
    assert failed.returncode == ExitCode.DISK
    assert "frog.safetensors" in failed.stderr
    assert [event["step"] for event in events(run, "checkpoint")][-1] == STEPS
    blocker.rmdir()
    blocker.parent.rmdir()
    resumed = subprocess.run([*TRAINER, str(run.path)], capture_output=True, text=True, check=False, timeout=300)
    assert resumed.returncode == 0, resumed.stderr
    assert_same_weights(run.output / "frog.safetensors", finished.output / "frog.safetensors")


@pytest.fixture
def elsewhere(finished, run_file, tmp_path, monkeypatch):
    """Be on another machine, with the preset and the model of the finished run and the start model's file."""
    assert command(["preset", "new", "gentle", "--from", str(finished.path), "-o", str(tmp_path)]) == 0
    there = tmp_path / "there"
    for name, variable in {"config": "DBTUI_CONFIG_DIR", "state": "DBTUI_STATE_DIR", "": "HOME"}.items():
        monkeypatch.setenv(variable, str(there / name))
    (there / "config" / "presets").mkdir(parents=True)
    (there / "models").mkdir()
    (tmp_path / "gentle.toml").rename(there / "config" / "presets" / "gentle.toml")
    shutil.copy(finished.output / "frog.safetensors", there)
    shutil.copy(run_file.with_name("tiny.safetensors"), there / "models" / "renamed.safetensors")
    monkeypatch.chdir(there)
    return there


def test_it_is_repeated_elsewhere_from_its_preset_and_from_its_model(finished, run_file, elsewhere, capsys):
    base, data = str(elsewhere / "models" / "renamed.safetensors"), ["--data", str(run_file.parent / "train")]
    trained = recipe(read_config(finished.run_toml))
    for words in (["gentle", "--model", base], ["frog.safetensors"]):
        assert command(["preset", "check", words[0]]) == 0
        capsys.readouterr()
        assert command(["run", *words, *data, "--dry-run"]) == 0
        config = parse_config(capsys.readouterr().out, "what would be run")
        assert recipe(config) == trained
        assert config.model.base == base
    with safe_open(elsewhere / "frog.safetensors", "pt") as file:
        told = json.dumps(file.metadata()) + (elsewhere / "config" / "presets" / "gentle.toml").read_text()
    record = json.loads(finished.process_json.read_text())
    places = [str(run_file.parent), str(finished.path), str(Path.home()), str(Path.cwd()), record["boot_id"]]
    secret = [record["host"], "hf_" + "t" * 30, "owner/frog", "sls frog"]
    assert not [trace for trace in (*places, *secret) if trace in told]
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", told)


@pytest.mark.slow
def test_what_it_repeats_is_the_same_to_the_last_bit(finished, run_file, elsewhere):
    pictures = ["--data", str(run_file.parent / "train"), "--reg", str(run_file.parent / "reg")]
    words = [sys.executable, "-m", "dbtui", "run", "frog.safetensors", *pictures, "--name", "again"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    again = elsewhere / "runs" / "again" / "output" / "last.safetensors"
    assert_same_weights(again, finished.output / "frog.safetensors")


def test_the_bundle_trains_the_same_where_nothing_of_dbtui_is_installed(finished, run_file, tmp_path, dbtui):
    bundle = tmp_path / "dbtrain.py"
    subprocess.run([sys.executable, "-m", "dbtui", "bundle", "-o", str(bundle)], check=True)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import pathlib, sys
            sys.path[:] = [path for path in sys.path if not (pathlib.Path(path or ".") / "trainer_core").is_dir()]
            """
        )
    )
    bare = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    bare["DBTUI_CONFIG_DIR"] = str(tmp_path)
    (tmp_path / "config.toml").write_text('[on_finish]\ncommand = ["sh", "-c", "echo hooked $DBTUI_RUN"]\n')
    empty = tmp_path / "empty"
    empty.mkdir()
    for package in ("dbtui.cli", "trainer_core"):
        tried = subprocess.run(
            [sys.executable, "-c", f"import {package}"], env=bare, cwd=empty, check=False, capture_output=True
        )
        assert b"ModuleNotFoundError" in tried.stderr
    shown = subprocess.run(
        [sys.executable, str(bundle), "--help"], env=bare, cwd=empty, capture_output=True, text=True, check=True
    )
    assert "run directory" in shown.stdout
    trained = subprocess.run(
        [sys.executable, str(bundle), str(run_file), "--name", "frog"],
        env=bare,
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert trained.returncode == 0, trained.stderr
    run = type(finished)(empty / "runs" / "frog")
    assert losses(run) == losses(finished)
    assert "frog is done: " in dbtui("attach", run.path).stdout
    assert "step 1/" in dbtui("log", run.path).stdout  # of the events: the console was the caller's
    assert_same_weights(run.output / "frog.safetensors", finished.output / "frog.safetensors")
    page = run.report.read_text(encoding="utf-8")
    assert page.count("<img ") == 2 + 5  # previews, dataset
    assert ".plots" in page  # the style sheet came with the bundle
    assert "sh: hooked frog\n" in trained.stdout


def test_the_bundle_is_the_sources_and_nothing_else():
    from dbtui.bundle.generate import generate

    text = generate()
    assert text == generate()
    for source in sorted(Path(trainer_core.__file__).parent.rglob("*.py")):
        assert source.name == "__main__.py" or source.read_text(encoding="utf-8") in text


def wait_for_step(run, process, step):
    deadline = time.monotonic() + 120
    while not any(event["step"] >= step for event in events(run, "step")):
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_end(run):
    deadline = time.monotonic() + 300
    while is_alive(run):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_same_weights(one, other):
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not tensor.equal(second[name])] == []
