"""Going on where a training was: what a checkpoint holds of a job, and what may have changed since."""

from pathlib import Path
from typing import Any

import torch

from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text
from trainer_core.train.checkpoint import Checkpoint, load_checkpoint
from trainer_core.train.job import Job, Samples

SHOWN = 5
Changes = dict[str, list[Any]]
"""Old and new value of each setting that is not what it was."""


def checkpoint_of(job: Job) -> Checkpoint:
    """Return the complete state of `job`; its order and its noise follow from seed and step alone."""
    return Checkpoint(
        step=job.step,
        weights=dict(job.parameters),
        optimizer=job.optimizer.state(),
        scaler=job.scaler.state(),
        facts={"settings": _settings(job.config), "pictures": _pictures(job.samples)},
        average=job.average.tensors if job.average else {},
    )


def restore(job: Job, path: Path) -> Changes:
    """Bring `job` to the state of the checkpoint at `path`; return the settings that changed since.

    Raises:
        UserError: the pictures or a setting that decides what is learned are not what they were (code RESUME).
    """
    checkpoint = load_checkpoint(path, job.device)
    changes = _changes(checkpoint.facts["settings"], _settings(job.config))
    problems = [
        f"{key} was {was} and is {now}: put it back, or start a new run"
        for key, (was, now) in changes.items()
        if not all_fields()[key].about.changeable
    ]
    problems += _changed_pictures(checkpoint.facts["pictures"], _pictures(job.samples))
    if problems:
        where = safe_text(path)
        raise UserError([f"{where} cannot be resumed: {problem}" for problem in problems], ExitCode.RESUME)
    with torch.no_grad():
        for name, parameter in job.parameters.items():
            parameter.copy_(checkpoint.weights[name])
    job.optimizer.load(checkpoint.optimizer)
    job.scaler.load(checkpoint.scaler)
    if job.average:
        job.average.load(checkpoint.average)
    job.step = checkpoint.step
    return changes


def _settings(config: Config) -> dict[str, Any]:
    tables = config.model_dump(mode="json", by_alias=True)
    settings = {key: value_of(tables, field) for key, field in all_fields().items() if "." in key}
    return {key: value for key, value in settings.items() if not _is_in_a_list(key)}


def _is_in_a_list(key: str) -> bool:
    """Tell whether the setting belongs to a list of tables; what those decide shows in the pictures."""
    return key.startswith(("concept.", "sample.prompts.", "preset.measured."))


def _changes(was: dict[str, Any], now: dict[str, Any]) -> Changes:
    return {key: [was.get(key), value] for key, value in now.items() if was.get(key) != value}


def _pictures(samples: Samples) -> list[list[Any]]:
    """Return what decides which data step s sees: each item's file, caption, part, repeats and bucket."""
    return [
        [safe_text(item.picture.path.name), item.picture.caption, item.is_class, item.repeats, list(fit.bucket)]
        for item, fit in zip(samples.items, samples.fits, strict=True)
    ]


def _changed_pictures(was: list[list[Any]], now: list[list[Any]]) -> list[str]:
    if was == now:
        return []
    before, after = ({str(item): item[0] for item in items} for items in (was, now))
    gone = [name for text, name in before.items() if text not in after]
    new = [name for text, name in after.items() if text not in before]
    told = []
    if gone:
        told.append(f"gone or changed since: {_some(gone)}")
    if new:
        told.append(f"new or changed: {_some(new)}")
    what = "; ".join(told) or "they come in another order"
    return [f"the pictures are not what they were ({what}): put them back, or start a new run"]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
