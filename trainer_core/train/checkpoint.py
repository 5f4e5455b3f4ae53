"""The complete state of a training on disk: written whole, verified by hash, found again by step.

A checkpoint is a folder `checkpoints/000500/` with weights.safetensors, optimizer.safetensors (with the loss scale
and the moving averages), state.json and, last, manifest.json (size and SHA-256 of each file). It is staged beside
its place, fsynced and renamed. A folder counts only if its manifest matches.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import remove_strays, staged
from trainer_core.text import safe_text
from trainer_core.train.optimizers import ParameterState

FORMAT = 1
KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after `step` steps.

    Attributes:
        step: optimizer steps done.
        weights: trained weights by name.
        optimizer: state of each trained parameter, in order.
        scaler: state of the loss scaler.
        average: moving averages of the weights by name; empty without [ema].
        facts: what a resume is compared with: the dataset and the settings.
    """

    step: int
    weights: dict[str, Tensor]
    optimizer: list[ParameterState]
    scaler: dict[str, Tensor]
    facts: dict[str, Any]
    average: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> tuple[Path, int]:
    """Write `checkpoint` into `folder` (the run's checkpoints/); return its path and its bytes.

    Older ones are pruned only after the new one stands and verifies; the two newest valid ones are kept.
    Raises UserError(DISK) naming the folder if it cannot be written.
    """
    target = folder / f"{checkpoint.step:06d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_strays(folder)
        with staged(target) as staging:
            staging.mkdir()
            _write(staging, checkpoint)
        size = sum(entry["bytes"] for entry in verified_manifest(target).values())
    except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
        raise UserError(
            f"{safe_text(target)} cannot be written ({safe_text(error)}): free space there, then `dbtui resume`.",
            ExitCode.DISK,
        ) from error
    for old in [path for path in checkpoints(folder) if _looks_whole(path)][:-KEPT]:
        _remove(old)
    return target, size


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, by step, oldest first, damaged ones too."""
    named = [path for path in folder.glob("[0-9]*") if path.is_dir() and path.name.isdecimal()]
    return sorted(named, key=lambda path: int(path.name))


def newest_valid(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint in `folder` whose every byte verifies, and why newer ones were passed over."""
    passed_over = []
    for path in reversed(checkpoints(folder)):
        try:
            verified_manifest(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            passed_over.append(f"{safe_text(path)} is damaged ({safe_text(error)})")
        else:
            return path, passed_over
    return None, passed_over


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Read the checkpoint at `path`, its optimizer onto `device`; UserError(RESUME) if its format is newer."""
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    if state["format"] > FORMAT:
        raise UserError(
            f"{safe_text(path)} was written by dbtui {safe_text(state['version'])}, which is newer: upgrade.",
            ExitCode.RESUME,
        )
    tensors = load_file(path / "optimizer.safetensors", device=str(device))
    optimizer: list[ParameterState] = [dict(numbers) for numbers in state["optimizer"]]
    others: dict[str, dict[str, Tensor]] = {"scaler": {}, "average": {}}
    for name, tensor in tensors.items():
        kind, _, key = name.partition(".")
        if kind in others:
            others[kind][key] = tensor
        else:
            optimizer[int(kind)][key] = tensor
    return Checkpoint(
        step=int(state["step"]),
        weights=load_file(path / "weights.safetensors"),  # copied into the model's own, so not twice on a GPU
        optimizer=optimizer,
        scaler=others["scaler"],
        facts=state["facts"],
        average=others["average"],
    )


def verified_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of the checkpoint at `path`; OSError if a file is missing, short or altered."""
    manifest: dict[str, dict[str, Any]] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    for name, expected in manifest.items():
        if _fingerprint(path / name) != expected:
            raise OSError(f"{name} differs from its manifest")
    return manifest


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    tensors = {f"scaler.{name}": tensor for name, tensor in checkpoint.scaler.items()}
    tensors |= {f"average.{name}": tensor for name, tensor in checkpoint.average.items()}
    numbers: list[dict[str, int | float]] = []
    for index, state in enumerate(checkpoint.optimizer):
        is_tensor = {name: isinstance(value, Tensor) for name, value in state.items()}
        tensors |= {f"{index}.{name}": value for name, value in state.items() if is_tensor[name]}
        numbers.append({name: value for name, value in state.items() if not is_tensor[name]})
    state_json = {
        "format": FORMAT,
        "version": _version(),
        "step": checkpoint.step,
        "facts": checkpoint.facts,
        "optimizer": numbers,
    }
    save_file(_contiguous(checkpoint.weights), folder / "weights.safetensors")
    save_file(_contiguous(tensors), folder / "optimizer.safetensors")
    (folder / "state.json").write_text(json.dumps(state_json), encoding="utf-8")
    manifest = {file.name: _fingerprint(file) for file in sorted(folder.iterdir())}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"bytes": file.stat().st_size, "sha256": digest}


def _looks_whole(path: Path) -> bool:
    """Tell whether every file of the manifest is there in its size; hashing them at each save takes long."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        return all((path / name).stat().st_size == expected["bytes"] for name, expected in manifest.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _remove(path: Path) -> None:
    """Remove a checkpoint so that a kill in between leaves no folder that looks whole."""
    (path / "manifest.json").unlink(missing_ok=True)
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


def _version() -> str:
    from trainer_core import __version__

    return __version__
