import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy
import pytest
from PIL import Image

from trainer_core.models.configs import write_tokenizer
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny

from .observer import Observer

CAPTIONS = [
    "a frog, green, wet, on a leaf, in the rain, looking up",
    "a frog, brown, dry, in the sand, near a stone",
    "a frog, blue, on a twig, at night",
]


def draw(path: Path, size: tuple[int, int], seed: int) -> None:
    """Write a soft random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = numpy.random.RandomState(seed).randint(0, 256, (4, 4, 3), dtype=numpy.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[[str, str], Path]) -> dict[str, str]:
    """Draw what the runs need; return its places by the names that stand for them in the entries."""
    root = tmp_path_factory.mktemp("world")
    for number, size in enumerate([(128, 128), (160, 96), (96, 192)]):
        draw(root / "train" / "1_sls frog" / f"{number}7 a frog {number}.png", size, number)
        draw(root / "other" / "1_cpc toad" / f"{number}.png", size, number + 10)
        draw(root / "captioned" / "1_sls frog" / f"{number}.png", size, number)
        (root / "captioned" / "1_sls frog" / f"{number}.caption").write_text(CAPTIONS[number])
        (root / "captioned" / "1_sls frog" / f"{number}.txt").write_text(CAPTIONS[-1 - number])
    for number in range(2):
        draw(root / "reg" / "1_frog" / f"{number}.png", (128, 128), number + 20)
        (root / "reg" / "1_frog" / f"{number}.caption").write_text(f"a frog, number {number}")
        draw(root / "bare_reg" / "1_frog" / f"{number}.png", (128, 128), number + 20)
        draw(root / "plain" / f"{number}.png", (128, 128), number + 30)
        draw(root / "class" / f"{number}.png", (128, 128), number + 40)
        draw(root / "bad" / "1_sls frog" / f"{number}.png", (128, 128), number + 50)
    (root / "bad" / "1_sls frog" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n and no picture")
    (root / "prompts.txt").write_text("a frog --w 64 --h 64 --d 3 --s 2 --l 7.5 --n blurry\n")
    save_model(build_tiny(seed=2), root / "vae", format="safetensors", precision=None, metadata={})
    write_tokenizer(root / "tokenizer", "!")
    respell(root / "tokenizer" / "vocab.json")
    models = {
        "sd1": model_file("sd1", "epsilon"),
        "sd2": model_file("sd2", "epsilon"),
        "v": model_file("sd2", "v"),
    }
    fill_hub_cache(root / "hub", {"main": models["sd1"], "second": root / "vae.safetensors"})
    named = {path.name: str(path) for path in root.iterdir() if path.is_dir()}
    files = {**models, "vae": root / "vae.safetensors", "prompts": root / "prompts.txt"}
    return named | {name: str(path) for name, path in files.items()}


def respell(vocabulary: Path) -> None:
    """Let two words of a CLIP vocabulary change places."""
    ids = json.loads(vocabulary.read_text(encoding="utf-8"))
    ids["frog</w>"], ids["toad</w>"] = ids["toad</w>"], ids["frog</w>"]
    vocabulary.write_text(json.dumps(ids), encoding="utf-8")


def fill_hub_cache(cache: Path, revisions: dict[str, Path]) -> None:
    """Lay the Hub's cache out as a download of `owner/tiny` would have."""
    folder = cache / "models--owner--tiny"
    (folder / "refs").mkdir(parents=True)
    for number, (name, model) in enumerate(revisions.items()):
        commit = f"{number}" * 40
        (folder / "refs" / name).write_text(commit)
        (folder / "snapshots" / commit).mkdir(parents=True)
        shutil.copy(model, folder / "snapshots" / commit / "model.safetensors")


@pytest.fixture(scope="session")
def observer(tmp_path_factory: pytest.TempPathFactory, world: dict[str, str]) -> Observer:
    """The observer of all runs; pictures that were decoded once are remembered."""
    return Observer(tmp_path_factory.mktemp("walk"), world)


@pytest.fixture(autouse=True)
def without_network(observer: Observer, world: dict[str, str]) -> Iterator[None]:
    """Only for as long as a test runs: other tests of this process do speak to a Hub."""
    with (
        patch.dict("os.environ", {"DBTUI_CACHE_DIR": str(observer.folder / "decoded")}),
        patch("huggingface_hub.constants.HF_HUB_CACHE", world["hub"]),
        patch("huggingface_hub.HfApi.model_info", side_effect=ConnectionError("no network")),
    ):
        yield
