"""How a training takes its steps, by its settings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trainer_core.data.batches import Batch
from trainer_core.train.fused_step import FusedStep
from trainer_core.train.job import Job
from trainer_core.train.ladder import SteppedDownError
from trainer_core.train.passes import Passes
from trainer_core.train.step import Taken, TakeStep, WholeStep
from trainer_core.train.update import TensorUpdate


@contextmanager
def steps_of(job: Job, passes: Passes) -> Iterator[TakeStep]:
    """Yield what takes the steps of `job`; nothing of it stays on the weights afterwards."""
    steps = _Steps(job, passes)
    try:
        yield steps
    finally:
        if steps.fused is not None:
            steps.fused.close()


class _Steps:
    """Takes each step as the settings say now: `memory.auto` may change them while it is being taken."""

    def __init__(self, job: Job, passes: Passes) -> None:
        self.job = job
        self.passes = passes
        self.whole = WholeStep(job, passes, list(job.parameters.values()))
        self.fused: FusedStep | None = None

    def __call__(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        while True:
            try:
                return self._way()(step, batches, rates)
            except SteppedDownError:
                continue

    def _way(self) -> TakeStep:
        if not self.job.config.memory.fused_backward:
            return self.whole
        if self.fused is None:
            if not isinstance(self.job.optimizer, TensorUpdate):
                raise TypeError(f"{type(self.job.optimizer).__name__} cannot update one weight by itself")
            self.fused = FusedStep(self.job, self.passes, self.job.optimizer)
        return self.fused
