"""Save a model in any of its formats: whole or not at all, and read back before it counts as saved."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.configs import write_configs
from trainer_core.models.family import Component
from trainer_core.models.layout import target_path, yaml_path
from trainer_core.models.model import StableDiffusion
from trainer_core.models.snapshot import Form, Precision, Snapshot, take_snapshot
from trainer_core.models.write import write_ckpt, write_safetensors
from trainer_core.room import why_no_room
from trainer_core.run.atomic import staged, write_text
from trainer_core.text import safe_text

SaveFormat = Literal["same", "safetensors", "ckpt", "diffusers", "diffusers_safetensors"]


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What was written: the files (the model first), or the folder; and its size."""

    paths: list[Path]
    bytes: int


def save_model(
    model: StableDiffusion,
    target_stem: Path,
    *,
    format: SaveFormat = "same",  # noqa: A002 - the setting's name
    precision: Precision | None = None,
    metadata: Mapping[str, str] | None = None,
    own_precisions: Mapping[Component, Precision] | None = None,
) -> SavedModel:
    """Write `model` to `target_stem` plus the format's ending, and verify what was written.

    A component has the type of `own_precisions`, else of `precision`, else its source's. `metadata` goes into
    the header of the file (of the U-Net's file in a folder). Raises a UserError: exit code 6 with the file's name
    if it cannot be written or reads back otherwise, 7 if a tensor is not finite.
    """
    snapshot = take_snapshot(model, form_of(model, format), precision, metadata or {}, own_precisions)
    return write_snapshot(snapshot, target_stem)


def form_of(model: StableDiffusion, format: SaveFormat) -> Form:  # noqa: A002 - the setting's name
    """Return the form that `format` means for this model."""
    if format == "same":
        return model.info.format
    return "diffusers" if format == "diffusers_safetensors" else format


def write_snapshot(snapshot: Snapshot, target_stem: Path) -> SavedModel:
    """Write a snapshot; see `save_model`."""
    target = target_path(target_stem, snapshot.form)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_room(target, snapshot.bytes)
        if snapshot.form == "diffusers":
            _write_folder(snapshot, target)
            return SavedModel([target], sum(file.stat().st_size for file in target.rglob("*") if file.is_file()))
        paths = _write_file(snapshot, target)
    except UserError:
        raise
    except Exception as error:
        raise _not_written(target, error) from error
    return SavedModel(paths, sum(path.stat().st_size for path in paths))


def _write_file(snapshot: Snapshot, target: Path) -> list[Path]:
    write = write_ckpt if snapshot.form == "ckpt" else write_safetensors
    with staged(target) as staging:
        write(staging, snapshot.tensors[""], snapshot.metadata)
    if snapshot.yaml is None:
        return [target]
    yaml = yaml_path(target)
    write_text(yaml, snapshot.yaml)
    return [target, yaml]


def _write_folder(snapshot: Snapshot, target: Path) -> None:
    with staged(target) as staging:
        write_configs(staging, snapshot.configs, pad_token=snapshot.pad_token, words=snapshot.words)
        for name, tensors in snapshot.tensors.items():
            metadata = snapshot.metadata if name.startswith("unet/") else {"format": "pt"}
            write_safetensors(staging / name, tensors, metadata)


def _check_room(target: Path, size: int) -> None:
    if problem := why_no_room(target.parent, size):
        raise UserError(f"{safe_text(target)}: {problem}; free some space or choose another folder", ExitCode.DISK)


def _not_written(target: Path, error: Exception) -> UserError:
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    reason = "the disk is full" if full else safe_text(error)
    return UserError(
        f"{safe_text(target)}: the model could not be written: {reason}; free some space or choose another folder",
        ExitCode.DISK,
    )
