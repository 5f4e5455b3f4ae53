"""How a training takes its steps, by its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from trainer_core.train.fused_step import FusedStep
from trainer_core.train.job import Job
from trainer_core.train.passes import Passes
from trainer_core.train.step import TakeStep, WholeStep
from trainer_core.train.update import TensorUpdate


@contextmanager
def steps_of(job: Job, passes: Passes) -> Iterator[TakeStep]:
    """Yield what takes the steps of `job`; nothing of it stays on the weights afterwards."""
    if not job.config.memory.fused_backward:
        yield WholeStep(job, passes, list(job.parameters.values()))
        return
    if not isinstance(job.optimizer, TensorUpdate):
        raise TypeError(f"{type(job.optimizer).__name__} cannot update one weight by itself")
    fused = FusedStep(job, passes, job.optimizer)
    try:
        yield fused
    finally:
        fused.close()
