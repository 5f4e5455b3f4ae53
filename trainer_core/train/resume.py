"""Going on where a training was: what a checkpoint holds of a job, and what must not have changed since."""

from pathlib import Path
from typing import Any

import torch

from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text
from trainer_core.train.checkpoint import Checkpoint, load_checkpoint
from trainer_core.train.job import Job


def checkpoint_of(job: Job) -> Checkpoint:
    """Return the complete state of `job`; its order and its noise follow from seed and step alone."""
    return Checkpoint(
        step=job.step,
        weights=dict(job.parameters),
        optimizer=job.optimizer.state(),
        scaler=job.scaler.state(),
        facts=facts_of(job),
    )


def restore(job: Job, path: Path) -> None:
    """Bring `job` to the state of the checkpoint at `path`; UserError(RESUME) if the data is not the same."""
    checkpoint = load_checkpoint(path, job.device)
    now = facts_of(job)
    changed = [
        f"{name} was {checkpoint.facts.get(name)} and is {value}"
        for name, value in now.items()
        if checkpoint.facts.get(name) != value
    ]
    if changed:
        raise UserError(
            [
                f"{safe_text(path)} cannot be resumed: {difference}. Put it back as it was, or start a new run."
                for difference in changed
            ],
            ExitCode.RESUME,
        )
    with torch.no_grad():
        for name, parameter in job.parameters.items():
            parameter.copy_(checkpoint.weights[name])
    job.optimizer.load(checkpoint.optimizer)
    job.scaler.load(checkpoint.scaler)
    job.step = checkpoint.step


def facts_of(job: Job) -> dict[str, Any]:
    """Return what decides which data step s sees, by the words in which a difference is told."""
    samples = job.samples
    items = [
        f"{item.picture.path.name}|{item.picture.caption}|{item.is_class}|{item.repeats}|{fit.bucket}"
        for item, fit in zip(samples.items, samples.fits, strict=True)
    ]
    return {
        "the number of pictures": len(items),
        "the dataset (names, captions, repeats, sizes)": f"{derive_seed(*items):016x}",
        "train.batch_size": samples.order.batch_size,
        "train.gradient_accumulation": samples.order.accumulation,
        "train.seed": samples.order.seed,
        "the number of trained tensors": len(job.parameters),
    }
