"""The disk that a run needs, against the disk that is free where it will write; and whether it may write there."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer_core.config.schema import Config
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import ClassPictures, Item
from trainer_core.data.listing import counted
from trainer_core.models.lora.sizes import lora_numbers
from trainer_core.models.preflight import is_pickled
from trainer_core.models.sizes import BYTES, ModelSize, model_size
from trainer_core.models.sniff import ModelInfo
from trainer_core.on_disk import MAX_NAME_BYTES, exists, is_folder, is_utf8
from trainer_core.room import SPARE_BYTES
from trainer_core.saves import Saves, own_precisions
from trainer_core.text import safe_text

CHECKPOINTS = 3
"""Two are kept, and a third is written before the older one goes."""
_LATENT_BYTES = 2 * 4 * 4
"""Mean and deviation of 4 channels in float32, for each latent pixel of 8 x 8."""
STATE_BYTES = {
    "adamw": 8,
    "adamw8bit": 2,
    "paged_adamw": 8,
    "paged_adamw8bit": 2,
    "lion": 4,
    "lion8bit": 1,
    "adafactor": 0,
    "prodigy": 16,
    "adamw_schedulefree": 8,
}
"""Bytes that each `optimizer.type` keeps for a trained weight; Adafactor's a row and a column of a matrix (1%)."""
_PREVIEW_BYTES = 3
"""For each pixel of a preview: a PNG is at most as large as the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One file system that a run writes to: an existing folder on it, the bytes needed there and those free."""

    folder: Path
    needed: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskNeed:
    """Bytes that a run will write at most at one time.

    Attributes:
        models: the models in the output folder.
        model_bytes: one of them.
        num_models: how many exist at one time.
        checkpoints: complete states, where the run saves on the way or is stopped.
        num_checkpoints: how many of these exist at one time.
        cache: latents on disk.
        previews: pictures drawn on the way.
        class_pictures: those that are still to be drawn.
        exact: whether the model could be measured; if not, its size is a high estimate (`.ckpt`) or, of a
            Hub id, left out.
        places: the file systems written to, each with what it needs and has.
        problems: what does not fit or cannot be written, each with the next action.
    """

    models: int
    model_bytes: int
    num_models: int
    checkpoints: int
    num_checkpoints: int
    cache: int
    previews: int
    class_pictures: int
    exact: bool
    places: tuple[Place, ...]
    problems: tuple[str, ...]

    @property
    def total(self) -> int:
        """Everything together."""
        return self.models + self.checkpoints + self.cache + self.previews + self.class_pictures

    @property
    def free(self) -> int:
        """Free bytes where the run directory lies."""
        return self.places[0].free if self.places else 0


def disk_need(
    config: Config,
    model: ModelInfo | None,
    items: tuple[Item, ...],
    fits: tuple[Fit, ...],
    saves: Saves,
    runs_dir: Path,
    *,
    present: int = 0,
    drawn: Sequence[ClassPictures] = (),
) -> DiskNeed:
    """Compute what the run will write and compare it with what is free; without a model, only what is known.

    `present` is what lies in the run's folder already, from before it was stopped: it needs no further room.
    `drawn` are the class pictures that it draws into folders of their own.
    """
    size = model_size(model) if model else None
    model_bytes = result_bytes(config, model, size)
    num_checkpoints = min(CHECKPOINTS, saves.states + 1)  # a stop writes one too
    models, checkpoints = model_bytes * saves.at_once, checkpoint_bytes(config, model, size) * num_checkpoints
    cache, previews = _cache_bytes(config, items, fits), _preview_bytes(config, saves)
    class_pictures = {each.folder: _class_picture_bytes(config, each) for each in drawn}
    places = _places(
        (runs_dir, max(0, checkpoints + cache + previews + SPARE_BYTES - present)),
        (Path(config.save.output_dir) if config.save.output_dir else runs_dir, models),
        *class_pictures.items(),
    )
    parts = f"{counted(saves.at_once, 'model')} of {gigabytes(model_bytes)}, checkpoints {gigabytes(checkpoints)}"
    problems = [
        *_not_writable(config, runs_dir, class_pictures),
        *_too_small(places, parts),
        *_no_room_to_unpickle(model),
    ]
    return DiskNeed(
        models=models,
        model_bytes=model_bytes,
        num_models=saves.at_once,
        checkpoints=checkpoints,
        num_checkpoints=num_checkpoints,
        cache=cache,
        previews=previews,
        class_pictures=sum(class_pictures.values()),
        exact=size is not None and size.exact,
        places=places,
        problems=tuple(problems),
    )


def latent_bytes(items: Iterable[Item], fits: Iterable[Fit], *, flip: bool) -> int:
    """Return the size of the latents of every different picture, and with `flip` of its mirror image."""
    cached = {(item.picture.path, fit.bucket) for item, fit in zip(items, fits, strict=False)}
    once = sum(width * height // 64 * _LATENT_BYTES for _, (width, height) in cached)
    return 2 * once if flip else once


def existing_folder(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    path = path.absolute()
    while not is_folder(path) and path != path.parent:
        path = path.parent
    return path


def gigabytes(size: float) -> str:
    """Return bytes as GB, or as MB below a tenth of one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def result_bytes(config: Config, model: ModelInfo | None, size: ModelSize | None) -> int:
    """Return the size of one file of what is trained: a whole model, or a LoRA; 0 where nothing is known."""
    if size is None or model is None:
        return 0
    if config.method.train == "lora":
        return lora_numbers(config, model) * (
            BYTES[config.save.precision] if config.save.precision else _width(config)
        )
    return size.bytes_in(config.save.precision, own_precisions(config.save))


def checkpoint_bytes(config: Config, model: ModelInfo | None, size: ModelSize | None) -> int:
    """Return the size of a checkpoint: trained weights, their average, and the optimizer's state."""
    if size is None or model is None:
        return 0
    if config.method.train == "lora":
        trained = lora_numbers(config, model)
    else:
        trained = size.elements["unet"] + (size.elements["text_encoder"] if config.text_encoder.train else 0)
    average = 4 if config.ema.enable else 0
    return trained * (_width(config) + STATE_BYTES[config.optimizer.type] + average)


def _width(config: Config) -> int:
    """Bytes of a trained weight."""
    return 2 if config.memory.full_fp16 or config.memory.full_bf16 else 4


def _cache_bytes(config: Config, items: tuple[Item, ...], fits: tuple[Fit, ...]) -> int:
    if config.dataset.cache_latents != "disk":
        return 0
    return latent_bytes(items, fits, flip=config.dataset.flip_aug)


def _preview_bytes(config: Config, saves: Saves) -> int:
    width, height = config.dataset.resolution
    each = sum((prompt.width or width) * (prompt.height or height) for prompt in config.sample.prompts)
    return each * config.sample.num_per_prompt * _PREVIEW_BYTES * saves.draws


def _class_picture_bytes(config: Config, drawn: ClassPictures) -> int:
    width, height = config.dataset.resolution
    return len(drawn.missing) * width * height * _PREVIEW_BYTES


def _places(*needs: tuple[Path, int]) -> tuple[Place, ...]:
    """Put what is needed in each folder on the file systems where it will lie."""
    places: dict[int, Place] = {}
    for path, needed in needs:
        folder = existing_folder(path)
        device = folder.stat().st_dev
        known = places.get(device) or Place(folder=folder, needed=0, free=shutil.disk_usage(folder).free)
        places[device] = replace(known, needed=known.needed + needed)
    return tuple(places.values())


def _too_small(places: tuple[Place, ...], parts: str) -> list[str]:
    return [
        f"{safe_text(place.folder)} has {_apart(place.free, place.needed)} free, but the run needs up to "
        f"{_apart(place.needed, place.free)} there ({parts}): free some space, save less often, set "
        'save.keep_last or save.precision = "fp16", name another folder with --runs-dir, or save no states with '
        "save.state_every_minutes = 0"
        for place in places
        if place.needed > place.free
    ]


def _apart(size: int, other: int) -> str:
    """Return bytes so that they read otherwise than those of the other size."""
    for shown in (gigabytes, "{:,} bytes".format):
        if shown(size) != shown(other):
            break
    return shown(size)


def _no_room_to_unpickle(model: ModelInfo | None) -> list[str]:
    """A pickled model is copied into the folder for temporary files, as safetensors, while it is loaded."""
    if model is None or not is_pickled(model):
        return []
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if model.size_bytes <= free:
        return []
    return [
        f"{safe_text(folder)} has {gigabytes(free)} free, but reading {safe_text(model.base)} needs up to "
        f"{gigabytes(model.size_bytes)} there for a while: free some space, or set TMPDIR to a larger folder"
    ]


def _not_writable(config: Config, runs_dir: Path, class_pictures: Mapping[Path, int]) -> list[str]:
    """Say which of the folders that a run writes to, which need not exist yet, it cannot write into."""
    folders = [(runs_dir, "with --runs-dir")]
    if config.save.output_dir:
        folders.append((Path(config.save.output_dir), "in save.output_dir"))
    if config.log.dir and (config.log.tensorboard or config.log.wandb):
        folders.append((Path(config.log.dir), "in log.dir"))
    folders += [(folder, "for its class pictures") for folder, needed in class_pictures.items() if needed]
    return [
        f"{problem}: name another folder {where}"
        for folder, where in folders
        if (problem := why_not_writable(folder))
    ]


def why_not_writable(folder: Path) -> str | None:
    """Return why nothing can be written into `folder`, which need not exist yet; None if something can."""
    path = folder.absolute()
    if not is_utf8(path):
        return f"{safe_text(path)} is not a UTF-8 name, and models cannot be saved below such a folder"
    if any(len(part.encode()) > MAX_NAME_BYTES for part in path.parts):
        return (
            f"{safe_text(path, 80)} has a name of more than {MAX_NAME_BYTES} bytes in it, which no folder can have"
        )
    while not exists(path) and path != path.parent:
        path = path.parent
    if not is_folder(path):
        return f"{safe_text(path)} is not a folder, so nothing can be written there"
    if os.access(path, os.W_OK | os.X_OK):
        return None
    is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    reason = "it is on a read-only file system" if is_read_only else "you have no permission to write there"
    return f"nothing can be written into {safe_text(folder)}: {reason}"
