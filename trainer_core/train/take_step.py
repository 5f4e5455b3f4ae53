"""How a training takes its steps, by its settings."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import torch

from trainer_core.data.batches import Batch
from trainer_core.train.compiled import compiled_blocks
from trainer_core.train.fused_step import FusedStep
from trainer_core.train.job import Job
from trainer_core.train.kernels import kernels_of_steps
from trainer_core.train.ladder import SteppedDownError
from trainer_core.train.passes import Passes
from trainer_core.train.step import Taken, TakeStep, WholeStep
from trainer_core.train.update import TensorUpdate


@contextmanager
def steps_of(job: Job, passes: Passes) -> Iterator["Steps"]:
    """Yield what takes the steps of `job`; nothing of it stays on the weights afterwards."""
    steps = Steps(job, passes)
    try:
        yield steps
    finally:
        if steps.fused is not None:
            steps.fused.close()


class Steps:
    """Takes each step as the settings say now: `memory.auto` may change them while it is being taken."""

    def __init__(self, job: Job, passes: Passes) -> None:
        self.job = job
        self.passes = passes
        self.whole = WholeStep(job, passes, list(job.parameters.values()))
        self.fused: FusedStep | None = None
        self.blocks = compiled_blocks(job)
        self._tried: set[tuple[int, ...]] = set()

    def __call__(self, step: int, batches: Sequence[Batch], rates: Sequence[float]) -> Taken:
        """Take a step; see `TakeStep`. What cannot be compiled is computed as it is."""
        while True:
            try:
                with self.kernels:
                    self._try_fused(step, batches)
                    return self._way()(step, batches, rates)
            except SteppedDownError:
                continue
            except Exception as error:
                if self.blocks is None or not self.blocks.give_up(error, self.job):
                    raise
            self.passes.drop_gradients()

    @property
    def kernels(self) -> AbstractContextManager[None]:
        """What a step is computed with."""
        return kernels_of_steps(self.job, self.blocks)

    def _try_fused(self, step: int, batches: Sequence[Batch]) -> None:
        """Compile for a new shape before a backward pass that changes weights, which cannot be done again."""
        if not (self.blocks and self.job.config.memory.fused_backward):
            return
        for number, batch in enumerate(batches):
            shape = tuple(batch.tensors[0].shape)
            if shape not in self._tried:
                self.passes.in_smaller_parts(step, partial(self._rehearse, step, number, batch))
                self._tried.add(shape)

    def _rehearse(self, step: int, number: int, batch: Batch) -> None:
        """Go forward and back through every block; no weight gets its gradient, so no hook sees one."""
        if self.passes.at_once(batch) == len(batch.items):
            first = next(weight for weight in self.job.groups[0].parameters.values() if weight.requires_grad)
            torch.autograd.grad(self.passes.losses(step, number, batch).sum(), first)

    def _way(self) -> TakeStep:
        if not self.job.config.memory.fused_backward:
            return self.whole
        if self.fused is None:
            if not isinstance(self.job.optimizer, TensorUpdate):
                raise TypeError(f"{type(self.job.optimizer).__name__} cannot update one weight by itself")
            self.fused = FusedStep(self.job, self.passes, self.job.optimizer)
        return self.fused
