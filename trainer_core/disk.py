"""The disk that a run needs, against the disk that is free where it will write."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from trainer_core.config.schema import Config
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item
from trainer_core.data.order import TrainingOrder
from trainer_core.models.sniff import ModelInfo
from trainer_core.text import safe_text

CHECKPOINTS = 3
"""Two are kept, and a third is written before the older one goes."""
_BYTES = {"float": 4, "fp16": 2, "bf16": 2, "F32": 4, "F16": 2, "BF16": 2}
_LATENT_BYTES = 2 * 4 * 4
"""Mean and deviation of 4 channels in float32, for each latent pixel of 8 x 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskNeed:
    """Bytes that a run will write at most at one time.

    Attributes:
        models: the models in the output folder.
        model_bytes: one of them.
        num_models: how many are kept at one time.
        checkpoints: complete states, where the run saves on the way or is stopped.
        cache: latents on disk.
        free: free bytes where the run directory lies.
        problems: what does not fit, each with the next action.
    """

    models: int
    model_bytes: int
    num_models: int
    checkpoints: int
    cache: int
    free: int
    problems: tuple[str, ...]

    @property
    def total(self) -> int:
        """Everything together."""
        return self.models + self.checkpoints + self.cache


def disk_need(
    config: Config,
    model: ModelInfo,
    items: tuple[Item, ...],
    fits: tuple[Fit, ...],
    order: TrainingOrder,
    total_steps: int,
    runs_dir: Path,
) -> DiskNeed:
    """Compute what the run will write; a start model that is not on this machine yet counts as nothing."""
    parameters = model.size_bytes / _stored_bytes(model)
    written = _BYTES[config.save.precision] if config.save.precision else _stored_bytes(model)
    model_bytes = int(parameters * written)
    num_models = _models_at_once(config, order, total_steps)
    full = config.memory.full_fp16 or config.memory.full_bf16
    state = (2 if full else 4) + (2 if config.optimizer.type == "adamw8bit" else 8)
    cached = {(item.picture.path, fit.bucket) for item, fit in zip(items, fits, strict=False)}
    on_disk = config.dataset.cache_latents == "disk"
    need = DiskNeed(
        models=model_bytes * num_models,
        model_bytes=model_bytes,
        num_models=num_models,
        checkpoints=int(parameters * state) * CHECKPOINTS,
        cache=sum(size[0] * size[1] // 64 * _LATENT_BYTES for _, size in cached) if on_disk else 0,
        free=0,
        problems=(),
    )
    return _checked(need, config, runs_dir)


def existing_folder(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def gigabytes(size: float) -> str:
    """Return bytes as GB, or as MB below a tenth of one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _checked(need: DiskNeed, config: Config, runs_dir: Path) -> DiskNeed:
    """Return `need` with the free space of each file system it touches, and what does not fit there."""
    output = Path(config.save.output_dir) if config.save.output_dir else runs_dir
    places = {existing_folder(runs_dir): need.checkpoints + need.cache}
    places[existing_folder(output)] = places.get(existing_folder(output), 0) + need.models
    problems = []
    for folder, needed in places.items():
        free = shutil.disk_usage(folder).free
        if needed > free:
            problems.append(
                f"{safe_text(folder)} has {gigabytes(free)} free, but the run needs up to {gigabytes(needed)} "
                f"({need.num_models} models of {gigabytes(need.model_bytes)}, checkpoints "
                f"{gigabytes(need.checkpoints)}): free some space, save less often, set save.keep_last or "
                'save.precision = "fp16", or name another folder with --runs-dir.'
            )
    free = shutil.disk_usage(existing_folder(runs_dir)).free
    return replace(need, free=free, problems=tuple(problems))


def _stored_bytes(model: ModelInfo) -> int:
    return _BYTES.get(model.dtypes.get("unet", "F32"), 4)


def _models_at_once(config: Config, order: TrainingOrder, total_steps: int) -> int:
    """Count the models saved on the way that exist together, one being written, and the finished one."""
    save, last = config.save, max(0, total_steps - 1)
    count = last // save.every_n_steps if save.every_n_steps else 0
    if save.every_n_epochs:
        count += last // (save.every_n_epochs * max(1, order.steps_per_epoch))
    if save.keep_last is not None:
        count = min(count, save.keep_last + 1)
    return count + 1
