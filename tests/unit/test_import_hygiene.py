"""Start-up stays light: what a person waits for loads no large library, proved in fresh interpreters."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "bitsandbytes", "xformers"}

LIGHT_HALF = [
    "trainer_core.advice",
    "trainer_core.captioning.captioner",
    "trainer_core.captioning.folder",
    "trainer_core.captioning.pictures",
    "trainer_core.captioning.tagger",
    "trainer_core.config",
    "trainer_core.data.balance",
    "trainer_core.data.buckets",
    "trainer_core.data.captions",
    "trainer_core.data.class_folders",
    "trainer_core.data.class_images",
    "trainer_core.data.folders",
    "trainer_core.data.images",
    "trainer_core.data.order",
    "trainer_core.data.scan",
    "trainer_core.disk",
    "trainer_core.errors",
    "trainer_core.generate.base",
    "trainer_core.generate.request",
    "trainer_core.generate.source",
    "trainer_core.hooks",
    "trainer_core.models.carried",
    "trainer_core.models.fingerprint",
    "trainer_core.models.hashed",
    "trainer_core.models.identifier",
    "trainer_core.models.pickles",
    "trainer_core.models.preflight",
    "trainer_core.models.sizes",
    "trainer_core.models.sniff",
    "trainer_core.models.text_form",
    "trainer_core.models.tokenizer",
    "trainer_core.models.tokenizer_files",
    "trainer_core.plan",
    "trainer_core.probe",
    "trainer_core.report",
    "trainer_core.run",
    "trainer_core.saves",
    "trainer_core.text",
]

IMPORT_ALL = """
import importlib, pkgutil
def import_below(name):
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not found.name.endswith((".__main__", ".loader")):  # these are programs
            importlib.import_module(found.name)
"""


TELL = """
import json, sys
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded_by(code: str, *arguments: object, folder: Path | None = None) -> set[str]:
    """Run `code` in a fresh interpreter and return the top-level names of what it has imported."""
    command = [sys.executable, "-c", textwrap.dedent(code) + TELL, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "train" / "2_sls frog"
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "0.png")
    return folder.parent


def test_the_test_itself_sees_what_is_loaded():
    assert "torch" in loaded_by("import torch")


def test_help_loads_neither_a_large_library_nor_textual():
    loaded = loaded_by("from dbtui.cli.app import run; assert run(['--help']) == 0")
    assert loaded.isdisjoint(HEAVY | {"textual", "pydantic", "PIL", "numpy"})


def test_the_help_of_every_command():
    code = """
    import typer
    from dbtui.cli.app import app, run
    command = typer.main.get_command(app)
    called = 0
    for name, each in command.commands.items():
        for words in [[name], *([name, below] for below in getattr(each, "commands", {}))]:
            assert run([*words, "--help"]) == 0, words
            called += 1
    assert called > 15
    """
    assert loaded_by(code).isdisjoint(HEAVY | {"textual"})


@pytest.mark.parametrize(
    "words",
    [
        ["token", "sls", "sks"],
        ["preset", "list"],
        ["preset", "show", "sd15-8gb", "--resolved"],
        ["preset", "check", "sd15-8gb"],
        ["runs"],
    ],
)
def test_commands_that_train_nothing(words: list[str], tmp_path: Path):
    code = "import sys; from dbtui.cli.app import run; assert run(sys.argv[1:]) == 0"
    assert loaded_by(code, *words, folder=tmp_path).isdisjoint(HEAVY | {"textual"})


@pytest.mark.parametrize("deep", [True, False])
def test_scanning(pictures: Path, deep: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    code = "import sys; from dbtui.cli.app import run; assert run(['scan', *sys.argv[1:]]) == 0"
    options = ["--resolution", 64, "--deep"] if deep else ["--resolution", 64]
    assert loaded_by(code, pictures, *options).isdisjoint(HEAVY | {"textual"})


def test_planning(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    code = "import sys; from dbtui.cli.app import run; assert run(['plan', 'sd15-8gb', *sys.argv[1:]]) == 0"
    options = ["--model", "owner/name", "--data", pictures, "--runs-dir", tmp_path / "runs"]
    assert loaded_by(code, *options).isdisjoint(HEAVY | {"textual"})


def test_reading_a_configuration(tmp_path: Path):
    (tmp_path / "run.toml").write_text("schema = 1\n[train]\nmax_steps = 3\n")
    code = """
    import pathlib, sys
    from trainer_core.config.reader import read_config
    assert read_config(pathlib.Path(sys.argv[1])).train.max_steps == 3
    """
    assert loaded_by(code, tmp_path / "run.toml").isdisjoint(HEAVY | {"textual", "typer", "rich"})


FIRST_FRAME = """
import asyncio, pathlib, sys
from dbtui.cli.alone import app_options
from dbtui.wizard.app import WizardApp
from dbtui.wizard.images import settled

async def main():
    options = app_options([])
    assert settled("half") == "half"
    app = WizardApp(options)
    loaded = []
    app.call_after_refresh(lambda: loaded.append(sorted(sys.modules)))
    async with app.run_test(size=(80, 24)) as pilot:
        while not loaded:
            await pilot.pause(0.01)
        modules = [name for name in loaded[0] if name.partition(".")[0] in HEAVY or name.startswith(OURS)]
        assert not modules, modules
asyncio.run(main())
"""


def test_the_first_frame_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It waits for no large library, for no schema, and for no module that reads runs."""
    monkeypatch.setenv("DBTUI_STATE_DIR", str(tmp_path))
    heavy = HEAVY | {"typer", "pydantic", "PIL", "numpy", "httpx", "pynvml"}
    ours = ("trainer_core.config", "trainer_core.plan", "trainer_core.data.scan", "dbtui.runs", "dbtui.presets")
    assert "textual" in loaded_by(f"HEAVY, OURS = {heavy!r}, {ours!r}\n{FIRST_FRAME}", folder=tmp_path)


def test_every_module_of_dbtui():
    assert loaded_by(IMPORT_ALL + "import_below('dbtui')").isdisjoint(HEAVY)


def test_the_dashboard_without_textual():
    assert loaded_by(IMPORT_ALL + "import_below('dbtui.dashboard')").isdisjoint(HEAVY | {"textual"})


def test_the_light_half_of_the_trainer():
    code = IMPORT_ALL + f"for name in {LIGHT_HALF!r}: import_below(name)"
    assert loaded_by(code).isdisjoint(HEAVY | {"dbtui", "textual", "typer", "rich"})
