"""torch.compile for the U-Net's repeated blocks: what is compiled, when it pays, and what happens where it fails.

Only the blocks are compiled, not the U-Net (regional compilation): equal ones share their code, so it is ready
within a minute instead of many, and names, hooks and checkpointing stay what they are. They are compiled inside
the steps alone: previews, and whatever else uses the model, run it as it is.

The compiler is imported only where it is wanted, since that takes seconds (see models/lean.py).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from trainer_core.config.schema import Config
from trainer_core.config.speed_rules import has_dropout
from trainer_core.errors import UserError
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.text import safe_text
from trainer_core.train.job import Job, Samples

BLOCKS = ("BasicTransformerBlock", "ResnetBlock2D")
"""Classes of diffusers of which a U-Net has dozens: attention with its linear layers, and the convolutions."""
PAYS_AFTER = 2000
"""Steps from which `auto` compiles: a minute or two of compiling, won back at some 50 ms a step. An estimate."""
VARIANTS = 64
"""Variants of a block that may be compiled, one for each shape of its weights; torch's own limit is 8."""
FEW_SHAPES = 2
"""Shapes of batches for which code of their own is compiled: a bucket, and its short last batch."""
ONE_PART = 75
"""Tokens up to which every caption becomes equally many vectors."""
Compile = Callable[..., None]
"""Compiles a module in place; see `torch.nn.Module.compile`."""


class CompiledBlocks:
    """The blocks of a U-Net, compiled where it is used as a context, and as they were outside of it.

    Attributes:
        active: whether they are compiled; False once that has failed.
    """

    def __init__(self, unet: nn.Module, *, dynamic: bool, compile_block: Compile) -> None:
        _allow_variants()
        self._blocks = repeated_blocks(unet)
        self._calls = [_compiled_call(block, dynamic, compile_block) for block in self._blocks]
        self.active = True

    def __bool__(self) -> bool:
        return self.active

    def __len__(self) -> int:
        """Return how many blocks are compiled."""
        return len(self._blocks) if self.active else 0

    def __enter__(self) -> None:
        """Let the blocks run compiled."""
        if self.active:
            for block, call in zip(self._blocks, self._calls, strict=True):
                block._compiled_call_impl = call

    def __exit__(self, *_: object) -> None:
        """Let them run as they are."""
        for block in self._blocks:
            block._compiled_call_impl = None

    def give_up(self, error: Exception, job: Job) -> bool:
        """Compile no more, and tell why; return whether the step can be done again without.

        What follows changed weights, or is not the compiler's doing, is not done again.
        """
        if not self.active or job.in_update or isinstance(error, UserError | StopRequestedError):
            return False
        self.active = False
        job.events.emit(
            "warning",
            code="not_compiled",
            text=f"step {job.step + 1}: the U-Net's blocks could not be compiled, so the training goes on as with "
            f'train.compile = "off" ({type(error).__name__}: {safe_text(error, limit=200)})',
            step=job.step,
        )
        return True


def compiled_blocks(job: Job, compile_block: Compile = nn.Module.compile) -> CompiledBlocks | None:
    """Return the blocks of the job's U-Net to be compiled, and tell of it; None where it does not pay."""
    config, samples = job.config, job.samples
    if not is_compiled(config, job.device, samples.total_steps):
        return None
    try:
        blocks = CompiledBlocks(
            job.model.unet, dynamic=has_many_shapes(config, samples), compile_block=compile_block
        )
    except Exception as error:  # noqa: BLE001 - a build of torch without a compiler fails in any way
        text = (
            f'the U-Net cannot be compiled here, so train.compile counts as "off" ({safe_text(error, limit=200)})'
        )
        job.events.emit("warning", code="not_compiled", text=text, step=job.step)
        return None
    text = (
        f"{len(blocks)} blocks of the U-Net are compiled when they are first used (train.compile): the first step "
        "takes a minute or more, and so may later ones with pictures of another shape"
    )
    job.events.emit("warning", code="note", text=text, step=job.step)
    return blocks


def repeated_blocks(unet: nn.Module) -> list[nn.Module]:
    """Return the blocks that a U-Net is made of."""
    return [module for module in unet.modules() if type(module).__name__ in BLOCKS]


def is_compiled(config: Config, device: torch.device, total_steps: int) -> bool:
    """Tell whether `train.compile` asks for it here.

    It depends on the whole training's length, not on what is left of it: a resume computes as before.
    """
    if config.memory.fsdp:
        return False
    if config.train.compile != "auto":
        return config.train.compile == "on"
    return device.type == "cuda" and total_steps >= PAYS_AFTER and not has_dropout(config.network)


def has_many_shapes(config: Config, samples: Samples) -> bool:
    """Tell whether the U-Net sees so many shapes that code for any of them is better than code for each.

    Code for one size is faster, but each bucket, each short last batch and each length of captions is one.
    """
    most, text = samples.order.batch_size, config.text_encoder
    shapes = {
        (bucket, count)
        for bucket, items in samples.order.buckets.items()
        for count in (min(most, len(items)), len(items) % most)
        if count
    }
    return len(shapes) > FEW_SHAPES or text.no_token_padding or text.max_token_length > ONE_PART


def _compiled_call(block: nn.Module, dynamic: bool, compile_block: Compile) -> Any:
    compile_block(block, dynamic=dynamic)
    call, block._compiled_call_impl = block._compiled_call_impl, None
    return call


def _allow_variants() -> None:
    """Prepare the compiler for blocks of many shapes, and for two backward passes over one graph.

    The latter (`memory.fused_backward` with clipping) forbids that a backward pass writes into what is kept.
    """
    import torch._dynamo.config
    import torch._functorch.config

    torch._dynamo.config.cache_size_limit = VARIANTS
    torch._functorch.config.donated_buffer = False
