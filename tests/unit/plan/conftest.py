"""A model file of a few numbers with the names and shapes that tell the family, pictures, and a planner."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file

from trainer_core.config.schema import Config
from trainer_core.plan import Plan, make_plan

TENSORS = {
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "model.diffusion_model.out.2.weight": (4, 320, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (100, 10),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (200, 10),
}
UNET, VAE, TEXT = 2 * 320 * 4 * 9 + 320 * 768, 1000, 2000


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def elements() -> dict[str, int]:
    return {"unet": UNET, "vae": VAE, "text_encoder": TEXT}


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a model of SD 1.x's shapes; `without` leaves out the tensors with that beginning."""

    def write(
        name: str = "model.safetensors", kind: Any = numpy.float16, without: str = "-", **extra: Any
    ) -> Path:
        tensors = {key: numpy.zeros(shape, kind) for key, shape in TENSORS.items() if not key.startswith(without)}
        save_file({**tensors, **extra}, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Save `count` pictures into a folder and return its parent."""

    def save(folder: str, count: int, size: tuple[int, int] = (64, 64)) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.linear_gradient("L").resize(size).convert("RGB")
            picture.save(path / f"{size[0]}x{size[1]}-{number}.png")
        return path.parent

    return save


@pytest.fixture
def config(tmp_path: Path, model_file, pictures) -> Callable[..., Config]:
    """A configuration of 5 x 2 training and 3 class pictures; keyword arguments are tables."""

    def make(**tables: dict[str, Any]) -> Config:
        if "base" not in tables.get("model", {}):
            tables["model"] = {"base": str(model_file()), **tables.get("model", {})}
        if "train_dir" not in tables.get("dataset", {}):
            folders = {
                "train_dir": str(pictures("train/2_sls frog", 5)),
                "reg_dir": str(pictures("reg/1_frog", 3)),
            }
            tables["dataset"] = {**folders, **tables.get("dataset", {})}
        tables["dataset"] = {"resolution": [64, 64], **tables["dataset"]}
        return Config.model_validate(deepcopy({"schema": 1, **tables}))

    return make


@pytest.fixture
def plan(config, tmp_path: Path) -> Callable[..., Plan]:
    def make(runs_dir: Path | None = None, **tables: dict[str, Any]) -> Plan:
        return make_plan(config(**tables), runs_dir or tmp_path / "runs")

    return make
