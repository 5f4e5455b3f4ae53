"""Which kernels the steps run with: cuDNN's fastest, and compiled blocks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from trainer_core.train.compiled import CompiledBlocks
from trainer_core.train.job import Job


@contextmanager
def kernels_of_steps(job: Job, blocks: CompiledBlocks | None) -> Iterator[None]:
    """Compute with the kernels that are best for steps; afterwards, for previews, it is as it was."""
    with ExitStack() as stack:
        if tries_kernels(job):
            stack.enter_context(_cudnn_tries())
        if blocks is not None:
            stack.enter_context(blocks)
        yield


def tries_kernels(job: Job) -> bool:
    """Tell whether cuDNN may time its kernels for each new shape and keep the fastest.

    Not while the VAE encodes in the steps: for its large pictures the kernels tried need the most memory.
    """
    return job.device.type == "cuda" and job.config.dataset.cache_latents != "off"


@contextmanager
def _cudnn_tries() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
