"""A loss, gradient or weight that is not finite: which picture it came from, and what is told of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer_core.data.batches import Batch
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text
from trainer_core.train.job import Job
from trainer_core.train.passes import Passes

Place = tuple[int, int]
"""A sample of a step: its batch, and its place in it."""
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a step until its numbers are back.

    Attributes:
        step: steps done, this one included.
        items: index of the item of each sample, batch by batch.
        losses: their weighted losses, still on the device.
    """

    step: int
    items: list[tuple[int, ...]]
    losses: list[Tensor]


def norm_of(tensors: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm of all `tensors` together, computed in float32, a scalar on the device."""
    return total_of(norms_of(tensors))


def norms_of(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the L2 norm of each tensor, computed in float32, scalars on the device."""
    return torch._foreach_norm(list(tensors), 2, dtype=torch.float32)


def total_of(norms: Sequence[Tensor]) -> Tensor:
    """Return the norm of everything of which these are the norms of the parts."""
    total: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return total


def refuse_broken_weights(job: Job) -> None:
    """Raise UserError(NON_FINITE) if a trained weight is not finite, so that nothing is written; waits once."""
    parameters = job.parameters
    with torch.no_grad():
        if bool(norm_of(list(parameters.values())).isfinite()):
            return
        broken = [name for name, parameter in parameters.items() if not bool(parameter.isfinite().all())]
    if broken:
        raise UserError(
            f"Step {job.step}: {len(broken)} of {len(parameters)} weights are not finite any more (the first is "
            f"{safe_text(broken[0])}), so nothing was saved of them. {_against_divergence(job)}",
            ExitCode.NON_FINITE,
        )


def broken_step(job: Job, passes: Passes, seen: Seen) -> UserError:
    """Return what to tell of a step whose loss or gradient was not finite.

    Where the losses do not say which picture it was, the gradients are computed once more, sample by sample.
    """
    places = [
        (number, place)
        for number, losses in enumerate(seen.losses)
        for place, is_finite in enumerate(losses.isfinite().tolist())
        if not is_finite
    ]
    what, is_found = "the loss", bool(places)
    if not places:
        places, what = _by_gradient(job, passes, seen), "the gradient"
        is_found = bool(places)
    count = sum(map(len, seen.items))
    places = places or [(number, place) for number, items in enumerate(seen.items) for place in range(len(items))]
    names = _names(job, [seen.items[number][place] for number, place in places])
    if len(places) == count > 1:
        whose = f"of all {count} pictures of the step ({names})" if is_found else f"of the step with {names}"
        cure = _against_divergence(job)
    else:
        whose, cure = f"of {names}", "Look at it and its caption, or leave it out. " + _against_divergence(job)
    return UserError(
        f"Step {seen.step}: {what} {whose} is not a number. The step was dropped before it reached the weights. "
        + cure,
        ExitCode.NON_FINITE,
    )


def _by_gradient(job: Job, passes: Passes, seen: Seen) -> list[Place]:
    """Return the samples whose gradient is not finite: alone, or else in their batch; none if it cannot be told.

    The weights are those of a step later at most, noise and timesteps are the same.
    """
    step = seen.step - 1
    if job.sharded:  # the others have their own part of each gradient
        return []
    try:
        batches = job.loader.step(step)
        broken = [number for number, batch in enumerate(batches) if _breaks(job, passes, step, number, batch)]
        alone = [(number, place) for number in broken for place in _breaking(job, passes, step, number, batches)]
        return alone or [(number, place) for number in broken for place in range(len(batches[number].items))]
    except Exception:  # noqa: BLE001 - a picture that is gone, or no memory: the training ends anyway
        return []
    finally:
        passes.drop_gradients()


def _breaks(job: Job, passes: Passes, step: int, number: int, batch: Batch) -> bool:
    passes.drop_gradients()
    passes.whole(step, number, batch, len(batch.items))
    return _is_broken(job)


def _breaking(job: Job, passes: Passes, step: int, number: int, batches: Sequence[Batch]) -> Iterator[int]:
    passes.drop_gradients()
    for place in passes.one_by_one(step, number, batches[number]):
        if _is_broken(job):
            yield place


def _is_broken(job: Job) -> bool:
    gradients = [parameter.grad for parameter in job.parameters.values() if parameter.grad is not None]
    return not bool(norm_of(gradients).isfinite())


def _names(job: Job, items: Sequence[int]) -> str:
    paths = [job.samples.items[item].picture.path for item in dict.fromkeys(items)]
    names = sorted({f"{path.parent.name}/{path.name}" for path in paths})
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(safe_text(name) for name in names[:SHOWN]) + more


def _against_divergence(job: Job) -> str:
    ways = ["lower optimizer.learning_rate"]
    if not job.config.optimizer.max_grad_norm:
        ways.append("set optimizer.max_grad_norm = 1.0")
    if job.precision.scaled:
        ways.append('set memory.mixed_precision = "bf16"')
    return f"If the training diverged: {', or '.join(ways)}."
