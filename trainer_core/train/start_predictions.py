"""What the start model predicts for its classes, kept in the run's folder so that a resume need not ask again."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainer_core.run.atomic import staged
from trainer_core.train.job import Job

RECORD = "start-predictions.safetensors"


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the start model's way from noise to a picture of a class: [4, h, w] on the CPU."""

    prompt: str
    noisy: Tensor
    timestep: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Points, and the start model's prediction at each: [4, h, w] float32 on the CPU."""

    points: list[Point]
    predictions: list[Tensor]


def key_of(job: Job, mark: str) -> str:
    """Return what the predictions depend on, besides the way: the model, how it is computed with, the measure.

    "" where the model's files cannot be told from others.
    """
    facts = job.facts
    if not facts.get("model"):
        return ""
    parts = [mark, facts["model"], facts["made_with"], facts["settings"], job.config.memory.model_dump()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def keep(path: Path, key: str, asked: Asked) -> None:
    """Write what was found; a disk that does not take it costs the next start some passes, and nothing else."""
    noisy = torch.stack([point.noisy for point in asked.points]).contiguous()
    predicted = torch.stack(asked.predictions).contiguous()
    told = {
        "key": key,
        "sum": _sum(noisy, predicted),
        "way": json.dumps([(point.prompt, point.timestep) for point in asked.points]),
    }
    with suppress(OSError, SafetensorError), staged(path) as staging:
        save_file({"noisy": noisy, "predicted": predicted}, staging, metadata=told)


def kept(path: Path, key: str) -> Asked | None:
    """Return what `keep` wrote under the same key; None where that is not there, or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            noisy, predicted = (file.get_tensor(name).clone() for name in ("noisy", "predicted"))
        if not key or (told.get("key"), told.get("sum")) != (key, _sum(noisy, predicted)):
            return None
        way: Sequence[tuple[str, int]] = json.loads(told["way"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    points = [Point(prompt, each, timestep) for (prompt, timestep), each in zip(way, noisy, strict=True)]
    return Asked(points, list(predicted))


def _sum(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()
