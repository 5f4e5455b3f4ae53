"""Going on where a training was: its state put into a job, where it fits, and what may have changed since."""

from pathlib import Path

import torch

from trainer_core.data.listing import counted
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.differences import Difference, compare, refuse_unsafe
from trainer_core.text import safe_text
from trainer_core.train.checkpoint import Checkpoint, load_checkpoint
from trainer_core.train.job import Job


def checkpoint_of(job: Job) -> Checkpoint:
    """Return the complete state of `job`; its order and its noise follow from seed and step alone."""
    return job.sharded.whole_state(own_state(job)) if job.sharded else own_state(job)


def own_state(job: Job) -> Checkpoint:
    """Return what this process has of the state."""
    return Checkpoint(
        step=job.step,
        weights=dict(job.parameters),
        optimizer=job.optimizer.state(),
        scaler=job.scaler.state(),
        facts=job.facts,
        average=job.average.tensors if job.average else {},
        totals=job.totals,
    )


def restore(job: Job, path: Path, *, allow_changed: bool = False, run: str = "RUN") -> list[Difference]:
    """Bring `job` to the state of the checkpoint at `path`; return what is not as it was then.

    Args:
        job: a training that was prepared, with all its weights as the start model has them.
        path: a checkpoint that was verified.
        allow_changed: accept also what decides what is learned.
        run: what messages call the run.

    Raises:
        UserError: something that decides what is learned is not what it was, and `allow_changed` is not given; or
            the state does not fit (code RESUME).
    """
    checkpoint = load_checkpoint(path, torch.device("cpu"))  # so that nothing lies on a GPU twice
    if job.sharded:
        checkpoint = job.sharded.own_part(checkpoint)
    differences = compare(checkpoint.facts, job.facts, job.config, checkpoint.step)
    if not allow_changed:
        refuse_unsafe(differences, safe_text(path), run)
    if problems := _misfits(job, checkpoint) or _too_short(job, checkpoint):
        action = "this state cannot go on like that: put the settings back, or start a new run from a saved model"
        raise UserError([*(f"{safe_text(path)}: {problem}" for problem in problems), action], ExitCode.RESUME)
    _put(job, checkpoint)
    return differences


def _put(job: Job, checkpoint: Checkpoint) -> None:
    with torch.no_grad():
        for name, parameter in job.parameters.items():
            parameter.copy_(checkpoint.weights[name])
    job.optimizer.load(checkpoint.optimizer)
    if _setting(checkpoint, "memory.mixed_precision") == job.config.memory.mixed_precision:
        job.scaler.load(checkpoint.scaler)
    if job.average:
        job.average.load(checkpoint.average)
    job.step, job.totals = checkpoint.step, checkpoint.totals.resumed()


def _misfits(job: Job, checkpoint: Checkpoint) -> list[str]:
    """Say why the state cannot be that of `job`; of one that fits there is nothing to say."""
    own, kept = job.parameters, checkpoint.weights
    both = [(name, own[name], kept[name]) for name in own if name in kept]
    left = [name for name in kept if name not in own]
    told = [
        _told("trained now, but not then", [name for name in own if name not in kept]),
        _told("trained then, but not now" + _how_to_stop(left, checkpoint.step), left),
        _told("of another size", [name for name, new, old in both if new.shape != old.shape]),
        _told("of another type", [name for name, new, old in both if new.dtype != old.dtype]),
    ]
    was, now = _setting(checkpoint, "optimizer.type"), job.config.optimizer.type
    if was.removeprefix("paged_") != now.removeprefix("paged_"):
        told.append(f'the optimizer "{now}" cannot go on with the state of "{was}"')
    return [problem for problem in told if problem]


def _told(what: str, names: list[str]) -> str:
    more = ", ..." if len(names) > 1 else ""
    return f"{what}: {counted(len(names), 'weight')} ({safe_text(names[0])}{more})" if names else ""


def _how_to_stop(names: list[str], step: int) -> str:
    if all(name.startswith(("text_encoder.", "lora_te_")) for name in names):
        return f" (text_encoder.stop_at_step = {step} ends the training of the text encoder here)"
    return ""


def _too_short(job: Job, checkpoint: Checkpoint) -> list[str]:
    done, total = checkpoint.step, job.samples.total_steps
    if done <= total:
        return []
    return [
        f"{counted(done, 'step')} are done, and it is to end after {total}: train.max_steps = {done} ends it here"
    ]


def _setting(checkpoint: Checkpoint, key: str) -> str:
    return str(checkpoint.facts["settings"].get(key))
