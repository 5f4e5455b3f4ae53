"""The models on this machine: in the folders where web UIs keep theirs, in the Hub's cache, trained here.

A small, fixed set of places is searched, never the whole disk.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbtui.wizard.models.hub_cache import cached_models
from trainer_core.models.layout import is_diffusers_folder
from trainer_core.models.sniff import CKPT_SUFFIXES
from trainer_core.on_disk import is_folder
from trainer_core.text import is_plain

SUFFIXES = frozenset({".safetensors", *CKPT_SUFFIXES})
MOST_IN_A_PLACE = 200
_MOST_ENTRIES = 5_000
_DEPTH = 2
ROOTS = ("~", ".", "/workspace", "/content", "/notebooks", "/data", "/root/autodl-tmp", "/kaggle/working")
_WEB_UIS = (
    ("stable-diffusion-webui", "models/Stable-diffusion", "web UI"),
    ("stable-diffusion-webui-forge", "models/Stable-diffusion", "Forge"),
    ("sd-webui-forge", "models/Stable-diffusion", "Forge"),
    ("forge", "models/Stable-diffusion", "Forge"),
    ("automatic", "models/Stable-diffusion", "SD.Next"),
    ("ComfyUI", "models/checkpoints", "ComfyUI"),
    ("SwarmUI", "Models/Stable-Diffusion", "SwarmUI"),
    ("StabilityMatrix", "Data/Models/StableDiffusion", "Stability Matrix"),
    ("", "models/Stable-diffusion", "web UI"),
    ("", "models/checkpoints", "ComfyUI"),
    ("", "models", "models"),
)
CACHE, TRAINED = "Hub cache", "trained here"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which models may lie, and whose it is."""

    folder: Path
    owner: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that lies somewhere.

    Attributes:
        base: its path, or its id on the Hub; safe to show and to type.
        owner: whose folder it lies in.
    """

    base: str
    owner: str

    @property
    def name(self) -> str:
        """What it is called."""
        return self.base if self.owner == CACHE else os.path.basename(self.base) or self.base  # noqa: PTH119

    @property
    def where(self) -> str:
        """The folder that it lies in; "" for one of the Hub."""
        return with_tilde(os.path.dirname(self.base)) if self.base.startswith("/") else ""  # noqa: PTH120


def with_tilde(path: str) -> str:
    """Return a path with ~ in the place of the home folder, as it would be typed."""
    home = os.path.expanduser("~")  # noqa: PTH111
    return f"~{path.removeprefix(home)}" if path == home or path.startswith(f"{home}/") else path


def places(runs_dir: Path) -> list[list[Place]]:
    """Return where to look, each folder once; they need not exist. Nothing is looked at yet.

    What lies below one root is one list: a network drive that is gone keeps nobody from looking at the others.
    """
    listed = [[Place(runs_dir.absolute(), TRAINED)]]
    known = {runs_dir.absolute()}
    for root in ROOTS:
        top = Path(os.path.expanduser(root)).absolute()  # noqa: PTH111 - "~" stays where there is no home
        below = [Place(top / name / inner, owner) for name, inner, owner in _WEB_UIS]
        listed.append([place for place in below if place.folder not in known])
        known.update(place.folder for place in below)
    return [below for below in listed if below]


def models_in(place: Place) -> list[KnownModel]:
    """Return the models in a place; none if it does not exist or cannot be read."""
    walk = _results(place.folder) if place.owner == TRAINED else _models_below(place.folder, _DEPTH)
    paths = []
    try:
        for path in walk:
            if is_plain(str(path)):
                paths.append(str(path))
            if len(paths) == MOST_IN_A_PLACE:
                break
    except OSError:
        pass
    return [KnownModel(path, place.owner) for path in paths]


def models_in_cache() -> list[KnownModel]:
    """Return the models in the Hub's cache."""
    try:
        return [KnownModel(hub_id, CACHE) for hub_id in cached_models()]
    except OSError:
        return []


def _results(runs_dir: Path) -> Iterator[Path]:
    """Yield the models in the output folders of runs."""
    for run in _entries(runs_dir):
        if run.is_dir():
            yield from _models_below(Path(run.path) / "output", 0)


def _models_below(folder: Path, depth: int) -> Iterator[Path]:
    if not is_folder(folder):
        return
    inner = []
    for entry in _entries(folder):
        path = Path(entry.path)
        if entry.is_dir():
            inner.append(path)
        elif path.suffix.lower() in SUFFIXES and entry.is_file():
            yield path
    for path in inner:
        if is_diffusers_folder(path):
            yield path
        elif depth > 0:
            yield from _models_below(path, depth - 1)


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    if not is_folder(folder):
        return []
    with os.scandir(folder) as entries:
        listed = [entry for _, entry in zip(range(_MOST_ENTRIES), entries, strict=False)]
    return sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name)
