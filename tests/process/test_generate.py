"""`dbtui generate` as a person runs it: pictures and their metadata, exit codes, how it is ended."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from dbtui.cli.app import run
from dbtui.generate.candidates import candidates
from dbtui.generate.process import DrawingProcess
from dbtui.generate.progress import Progress
from tests.process.conftest import DBTUI
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.program import _draw
from trainer_core.generate.request import Request
from trainer_core.run.directory import create_run


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    stem = tmp_path_factory.mktemp("model") / "tiny"
    return save_model(build_tiny(), stem, format="safetensors", precision=None, metadata={}).paths[0]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def test_pictures_on_disk_with_their_prompt_and_beside_those_of_the_start_model(dbtui, model, here):
    options = ["-p", "sls frog, [red]x[/]", "-p", "a frog", "--seed", 5, "--steps", 2, "--size", "64,128"]
    done = dbtui("generate", model, *options, "--compare-base", "--base", model, "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(Path(each["path"]).name, each["of"], each["seed"]) for each in told["pictures"]] == [
        ("00001.png", "trained", 5),
        ("00002.png", "trained", 5),
        ("00001-base.png", "base", 5),
        ("00002-base.png", "base", 5),
    ]
    with Image.open(here / "out" / "00001.png") as picture, Image.open(here / "out" / "00001-base.png") as base:
        assert picture.size == (64, 128)
        assert picture.text["parameters"] == (
            "sls frog, [red]x[/]\nSteps: 2, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 5, Size: 64x128, Model: tiny"
        )
        assert picture.tobytes() == base.tobytes()


def test_a_place_for_no_pictures_is_told_before_the_model_is_looked_at(here):
    (here / "taken").write_text("")
    request = Request(model="gone.safetensors", prompts=("frog",), out=str(here / "taken"))
    with pytest.raises(UserError, match="taken is not a folder") as caught:
        _draw(request.to_json().encode(), SimpleNamespace(emit=print))
    assert caught.value.code is ExitCode.DISK


def test_a_name_that_nothing_has_is_told_at_once_as_a_run_too(here, capsys):
    assert run(["generate", "nothere", "-p", "frog"]) == ExitCode.MODEL
    assert "no run of that name in runs (`dbtui runs`)" in capsys.readouterr().err
    assert run(["generate", "nothere.safetensors", "-p", " "]) == ExitCode.CONFIG, "a file is looked for later"


def test_the_start_models_of_runs_are_among_those_looked_through(here, monkeypatch):
    monkeypatch.setenv("DBTUI_STATE_DIR", str(here / "state"))
    create_run(here / "runs", "frog-1", 'schema = 1\nmodel.base = "/models/v1-5.safetensors"\n')
    create_run(here / "runs", "frog-2", "schema = 1\nmodel = 3\n")
    assert "/models/v1-5.safetensors" in candidates(here / "runs")


def test_on_a_terminal_the_picture_is_shown(terminal, here):
    Image.new("RGB", (64, 96), "red").save(here / "a.png")
    tell = (
        "from dbtui.cli.generate import _tell; from dbtui.generate.progress import Drawn; from pathlib import Path"
    )
    shown = terminal([sys.executable, "-c", f"{tell}; _tell(Drawn(Path('a.png'), 'frog', 3, True))"])
    assert shown.end() == 0
    lines = shown.text.split("\r\n")
    assert sum("▀" in line for line in lines) == 20
    assert lines[-3:] == ["a.png  seed 3  start model", "a.png", ""]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["nothing.safetensors", "-p", "x"], ExitCode.MODEL, "no such file or folder"),
        (["a", "-p", "x", "--size", "100"], ExitCode.CONFIG, "the size is W,H in pixels"),
        (["a", "-p", "x", "--size", "100,64"], ExitCode.CONFIG, "a multiple of 64, not 100"),
        (["a", "-p", " ", "--scale", "0"], ExitCode.CONFIG, "there is no prompt"),
        (["a", "-p", "x", "--negative", "y", "--scale", "1"], ExitCode.CONFIG, "the scale above 1"),
        (["a", "-p", "x", "-n", "1001"], ExitCode.CONFIG, "from 1 to 1000"),
        (["a"], ExitCode.CONFIG, "-p"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(options, code, said, dbtui, here):
    done = dbtui("generate", *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_compared_with_nothing(dbtui, model, here):
    done = dbtui("generate", model, "-p", "x", "--compare-base", "--steps", 1)
    assert done.returncode == ExitCode.MODEL
    assert "name it with --base" in done.stderr


def request(model: Path, here: Path) -> Request:
    return Request(model=str(model), prompts=("x",), out=str(here / "out"), steps=1000, number=1000, size=(64, 64))


def test_a_cancel_ends_it_and_what_is_drawn_stays(model, here):
    progress = Progress()
    with DrawingProcess(request(model, here)) as process:
        for event in process.events():
            progress.take(event)
            if progress.step > 2:
                process.cancel()
    assert progress.code is ExitCode.STOPPED
    assert progress.problems == ["stopped; the pictures that are there stay"]
    assert 0 < progress.share < 0.01


def test_it_ends_with_whoever_wanted_it(wait, model, here):
    """A closed terminal, or a lost connection, kills the parent: nothing goes on drawing."""
    options = ["-p", "x", "--steps", "1000", "-n", "1000"]
    parent = subprocess.Popen([*DBTUI, "generate", str(model), *options], stderr=subprocess.PIPE, text=True)
    try:
        assert any(line.startswith("loading") for line in parent.stderr)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        (child,) = map(int, children)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stderr.close()
    wait(lambda: not Path(f"/proc/{child}").exists(), "the child is gone")


def test_a_death_without_a_word_is_told(here):
    words = (
        "import os, sys; print('noise'); print('\\x1b[2Jlast words', file=sys.stderr, flush=True);"
        " os.kill(os.getpid(), 9)"
    )
    progress = Progress()
    with DrawingProcess(request(here, here), [sys.executable, "-c", words]) as process:
        for event in process.events():
            progress.take(event)
    assert progress.code is ExitCode.FAILED
    assert "ended by SIGKILL" in progress.problems[0]
    assert progress.problems[1] == "\\x1b[2Jlast words"


def test_events_of_another_shape_say_nothing():
    progress = Progress()
    for event in ({"kind": "picture"}, {"kind": "progress", "done": "x"}, {"kind": "new"}, {"kind": "failed"}):
        progress.take(event)
    assert progress == Progress()
    progress.take({"kind": "failed", "exit_code": 99, "problems": ["a\x1bb", 3]})
    assert (progress.code, progress.problems) == (ExitCode.FAILED, ["a\\x1bb", "3"])
