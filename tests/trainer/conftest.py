import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from trainer_core.config.schema import Config
from trainer_core.models.family import COMPONENTS
from trainer_core.models.load import load_model
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny
from trainer_core.plan import make_plan
from trainer_core.train.job import Job, Samples, prepare
from trainer_core.train.loop import StepReport, train

torch.set_num_threads(1)  # tiny tensors: threads would cost more than they give


class Recorder:
    """Stands in for the event writer."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, kind: str, **fields: Any) -> None:
        json.dumps(fields, default=str)
        self.events.append({"kind": kind, **fields})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def write_pictures(folder: Path, count: int, size: tuple[int, int] = (128, 128), first: int = 0) -> None:
    """Write soft random pictures."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        coarse = numpy.random.RandomState(number).randint(0, 256, (4, 4, 3), dtype=numpy.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:02d}.png")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in the guide's layout: 5 pictures x 2 of "sls frog", 3 class pictures."""
    root = tmp_path_factory.mktemp("pictures")
    write_pictures(root / "train" / "2_sls frog", 5)
    write_pictures(root / "reg" / "1_frog", 3, first=100)
    return root


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a function that gives the file of a tiny model of a family and prediction type."""
    folder = tmp_path_factory.mktemp("models")

    def build(family: str, prediction: str) -> Path:
        path = folder / f"{family}-{prediction}.safetensors"
        if not path.exists():
            tiny = build_tiny(family, prediction, seed=1)
            save_model(tiny, path.with_suffix(""), format="safetensors", precision=None, metadata={})
        return path

    return build


@pytest.fixture
def make_job(pictures: Path, model_file: Callable[[str, str], Path], tmp_path: Path) -> Callable[..., Job]:
    """Return a function that prepares a training on the CPU; keyword arguments are tables of the configuration."""

    def make(
        family: str = "sd1",
        prediction: str = "epsilon",
        reg: bool = True,
        side: int = 64,
        events: Any = None,
        encoded: Any = None,
        **tables: dict[str, Any],
    ) -> Job:
        settings: dict[str, Any] = {
            "schema": 1,
            "model": {"base": str(model_file(family, prediction)), "prediction": prediction},
            "dataset": {"train_dir": str(pictures / "train"), "resolution": [side, side]},
            "optimizer": {"type": "adamw", "learning_rate": 1e-4},
            "train": {"max_steps": 20, "workers": 1},
        }
        if reg:
            settings["dataset"]["reg_dir"] = str(pictures / "reg")
        for name, table in tables.items():
            settings[name] = {**settings.get(name, {}), **table}
        config = Config.model_validate(deepcopy(settings))
        plan = make_plan(config, tmp_path)
        plan.raise_for_problems()
        return prepare(
            config,
            Samples(items=plan.items, fits=plan.fits, order=plan.order, total_steps=plan.total_steps),
            load_model(config.model, later=COMPONENTS),  # as a run does
            torch.device("cpu"),
            events or Recorder(),
            cache_dir=tmp_path / "cache",
            should_stop=lambda: False,
            encoded=encoded,
        )

    return make


@pytest.fixture
def run_job() -> Callable[..., list[StepReport]]:
    """Return a function that trains a job and returns the report of each step; `steps` ends it early."""

    def run(job: Job, steps: int | None = None) -> list[StepReport]:
        reports: list[StepReport] = []
        last = None if steps is None else job.step + steps
        train(job, reports.append, lambda: job.step != last)
        return reports

    return run
