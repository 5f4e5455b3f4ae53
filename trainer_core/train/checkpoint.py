"""The complete state of a training on disk: written whole, read back, found again by step.

A checkpoint is a folder `checkpoints/000500/` with weights.safetensors, optimizer.safetensors (with the loss scale
and the moving averages), state.json and, last, manifest.json. It is staged beside its place, fsynced and renamed.
There is no random state in it: what is random depends on seed and step alone.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trainer_core import __version__
from trainer_core.errors import ExitCode, UserError
from trainer_core.room import LITTLE_BYTES, why_no_room
from trainer_core.run.atomic import staged
from trainer_core.run.checkpoint_format import FORMAT, STATE, read_state
from trainer_core.run.checkpoints import (
    DAMAGE,
    KEPT,
    MANIFEST,
    OPTIMIZER,
    WEIGHTS,
    checkpoints,
    newest_valid,
    prune,
    verified_manifest,
)
from trainer_core.text import safe_text
from trainer_core.train.optimizers import ParameterState
from trainer_core.train.tensor_file import write_bytes, write_tensors
from trainer_core.train.totals import Totals

__all__ = [
    "FORMAT",
    "KEPT",
    "Checkpoint",
    "checkpoints",
    "load_checkpoint",
    "newest_valid",
    "save_checkpoint",
    "verified_manifest",
    "write_checkpoint",
]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after `step` steps.

    Attributes:
        step: optimizer steps done.
        weights: trained weights by name.
        optimizer: state of each trained parameter, in order.
        scaler: state of the loss scaler.
        facts: what a resume is compared with: the dataset and the settings.
        average: moving averages of the weights by name; empty without [ema].
        totals: what was done in all, over every resume.
    """

    step: int
    weights: dict[str, Tensor]
    optimizer: list[ParameterState]
    scaler: dict[str, Tensor]
    facts: dict[str, Any]
    average: dict[str, Tensor] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)

    @property
    def bytes(self) -> int:
        """Size of all tensors."""
        return sum(tensor.nbytes for tensor in [*self.weights.values(), *_state_tensors(self).values()])

    def copy(self) -> "Checkpoint":
        """Return a copy in main memory, which the training does not change."""
        return replace(
            self,
            weights=_copied(self.weights),
            optimizer=[_copied(state) for state in self.optimizer],
            scaler=_copied(self.scaler),
            average=_copied(self.average),
            totals=replace(self.totals),
        )


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> tuple[Path, int]:
    """Write `checkpoint` into `folder`, read it back, and only then prune older ones; return its path and bytes.

    Raises UserError(DISK) naming the folder if it cannot be written.
    """
    path, size = write_checkpoint(folder, checkpoint)
    try:
        verified_manifest(path)
    except DAMAGE as error:
        raise not_written(path, error) from error
    prune(folder, path)
    return path, size


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> tuple[Path, int]:
    """Write `checkpoint` into `folder` (the run's checkpoints/), whole or not at all; return its path and bytes.

    Raises UserError(DISK) naming the folder if there is no room for it, or it cannot be written.
    """
    target = folder / f"{checkpoint.step:06d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if problem := why_no_room(folder, checkpoint.bytes, LITTLE_BYTES):
            raise OSError(problem)
        with staged(target) as staging:
            staging.mkdir()
            size = _write(staging, checkpoint)
    except (OSError, SafetensorError) as error:
        raise not_written(target, error) from error
    return target, size


def not_written(target: Path, error: Exception) -> UserError:
    """Return the error of a checkpoint that could not be written, with the next action."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    text = f"{safe_text(target)} cannot be written ({safe_text(reason)}): free space there"
    return UserError(text, ExitCode.DISK)


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Read the checkpoint at `path`, which was verified, its optimizer onto `device`.

    On the CPU its tensors are the file itself, mapped into memory: copy what is to be kept.

    Raises UserError(RESUME) if its format is newer, or a part of it is missing.
    """
    try:
        return _load(path, device)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, SafetensorError) as error:
        text = f"{safe_text(path)} cannot be read ({type(error).__name__}: {safe_text(error)})"
        action = "remove that folder to go on from the one before"
        raise UserError(f"{text}: {action}.", ExitCode.RESUME) from error


def _load(path: Path, device: torch.device) -> Checkpoint:
    state = read_state(path)
    optimizer: list[ParameterState] = [dict(numbers) for numbers in state["optimizer"]]
    others: dict[str, dict[str, Tensor]] = {"scaler": {}, "average": {}}
    for name, tensor in load_file(path / OPTIMIZER, device=str(device)).items():
        kind, _, key = name.partition(".")
        if kind in others:
            others[kind][key] = tensor
        else:
            optimizer[int(kind)][key] = tensor
    return Checkpoint(
        step=int(state["step"]),
        weights=load_file(path / WEIGHTS),
        optimizer=optimizer,
        scaler=others["scaler"],
        facts=state["facts"],
        average=others["average"],
        totals=Totals(**state["totals"]),
    )


def _write(folder: Path, checkpoint: Checkpoint) -> int:
    """Write every file of the checkpoint to the disk, the manifest last; return their bytes."""
    numbers = [
        {name: value for name, value in state.items() if not isinstance(value, Tensor)}
        for state in checkpoint.optimizer
    ]
    state_json = {
        "format": FORMAT,
        "version": __version__,
        "step": checkpoint.step,
        "facts": checkpoint.facts,
        "totals": asdict(checkpoint.totals),
        "optimizer": numbers,
    }
    manifest = {
        WEIGHTS: write_tensors(folder / WEIGHTS, checkpoint.weights),
        OPTIMIZER: write_tensors(folder / OPTIMIZER, _state_tensors(checkpoint)),
        STATE: write_bytes(folder / STATE, json.dumps(state_json).encode()),
    }
    write_bytes(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return sum(entry["bytes"] for entry in manifest.values())


def _state_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return what optimizer.safetensors holds: `0.exp_avg` belongs to the first parameter."""
    tensors = {f"scaler.{name}": tensor for name, tensor in checkpoint.scaler.items()}
    tensors |= {f"average.{name}": tensor for name, tensor in checkpoint.average.items()}
    for index, state in enumerate(checkpoint.optimizer):
        tensors |= {f"{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    return tensors


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value
        for name, value in values.items()
    }
