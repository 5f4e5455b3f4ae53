"""The whole way by keyboard alone: from a model file and a folder of pictures to a finished training.

Each walk trains for real, on a tiny model; what it wrote, the command repeats with the same losses.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from dbtui.dashboard.state import fold
from dbtui.demo.world.write import write_frogs
from dbtui.runs.find import find_runs
from tests.wizard.conftest import NARROW, WIDE, screen_text, settle, until
from trainer_core.config.reader import read_config
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.run.lock import is_alive, lock_holder

STEPS = 3


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory) -> bytes:
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    stem = tmp_path_factory.mktemp("model") / "tiny"
    return save_model(build_tiny(), stem, format="safetensors", precision=None, metadata={}).paths[0].read_bytes()


@pytest.fixture
def nothing(model_bytes, tmp_path, monkeypatch):
    """What a person has at first: a model and some pictures. Afterwards nobody trains any more."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the same losses on every machine
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    Path("tiny.safetensors").write_bytes(model_bytes)
    write_frogs(Path("photos"), 3, subject=True)
    write_frogs(Path("others"), 2, subject=False)
    yield
    for run in find_runs(tmp_path / "runs"):
        if (holder := lock_holder(run)) and is_alive(run):
            subprocess.run(["kill", "-KILL", str(holder.pid)], check=False)


class Walker:
    """Presses keys, one screen after the other."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await settle(self.pilot)

    async def sees(self, words: str) -> None:
        await until(self.pilot, lambda: words in screen_text(self.app), f"the screen says {words!r}")

    async def to_the_pictures(self) -> None:
        """From home over goal and model to the names of two steps later."""
        await self.press("n")
        await self.sees("1 goal ▸")
        await self.press("enter")
        await self.press(*"tiny.safetensors")
        await self.sees("Stable Diffusion 1.x")
        await self.press("enter")
        await self.sees("What shall it be called?")

    async def from_class_pictures_to_the_review(self) -> None:
        """Without class pictures, on the preset that is offered, for a few small steps."""
        await self.sees("5 class pictures ▸")
        await self.press("down")
        await self.sees("● None")
        await self.press("enter")
        await self.sees("6 hardware ▸")
        await self.press("enter")
        await self.sees("7 training ▸")
        await self.press("ctrl+a", "ctrl+k", str(STEPS), "down", "down", "down", *"64,64")
        await self.sees("64,64")
        await self.press("enter")
        await self.sees("8 review ▸")
        await self.sees("s starts it")

    async def train(self, run: RunDirectory) -> list[float]:
        """Start, watch it in the monitor to its end; return the losses."""
        await self.press("s")
        await until(self.pilot, lambda: fold(EventReader(run.events).poll()).ending, "the training has ended")
        await self.sees("done")
        await until(self.pilot, lambda: not is_alive(run), "the trainer has gone")
        assert (run.output / "last.safetensors").stat().st_size > 10_000_000
        return losses(run)


def losses(run: RunDirectory) -> list[float]:
    return [event["loss"] for event in EventReader(run.events).poll() if event["kind"] == "step"]


@pytest.mark.parametrize(
    "size", [pytest.param(NARROW, id="80x24"), pytest.param(WIDE, marks=pytest.mark.slow, id="120x40")]
)
async def test_from_nothing_to_a_finished_training(size, open_app, nothing, tmp_path):
    async with open_app(size=size) as (app, pilot):
        walker = Walker(app, pilot)
        await walker.to_the_pictures()
        await walker.press(*"sls", "tab", *"frog")
        await walker.sees('"sls frog"')
        await walker.press("enter")
        await walker.press(*"photos")
        await walker.sees("frog-00.png")
        await walker.press("enter")
        await walker.from_class_pictures_to_the_review()
        await walker.sees("sls-frog-1")
        run = RunDirectory(tmp_path / "runs" / "sls-frog-1")
        trained = await walker.train(run)
        await walker.press("escape")
        await walker.sees("sls-frog-1")
    assert len(trained) == STEPS
    if size == NARROW:
        assert losses(again(run)) == trained


def again(run: RunDirectory) -> RunDirectory:
    """Repeat a run by what it wrote, headless."""
    options = [str(run.run_toml), "--runs-dir", str(run.path.parent), "--name", "again"]
    done = subprocess.run(
        [sys.executable, "-m", "dbtui", "run", *options], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return RunDirectory(run.path.parent / "again")


async def test_several_subjects(open_app, nothing, tmp_path):
    async with open_app(size=WIDE) as (app, pilot):
        walker = Walker(app, pilot)
        await walker.to_the_pictures()
        await walker.press(*"sls", "tab", *"frog", "ctrl+n", *"shs", "tab", *"frog")
        await walker.sees('"shs frog"')
        await walker.press("enter")
        await walker.press(*"photos")
        await walker.sees("frog-00.png")
        await walker.press("enter")
        await walker.sees('"shs frog"?')
        await walker.press(*"others")
        await walker.sees("others  ")
        await walker.press("enter")
        await walker.from_class_pictures_to_the_review()
        run = RunDirectory(tmp_path / "runs" / "sls-frog-1")
        trained = await walker.train(run)
    assert len(trained) == STEPS
    learned = [(each.identifier, Path(each.instance_dir).name) for each in read_config(run.run_toml).concept]
    assert learned == [("sls", "photos"), ("shs", "others")]
