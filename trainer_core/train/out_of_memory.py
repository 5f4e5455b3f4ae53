"""Out of memory: how it is recognised, what is freed, how work is done in smaller portions, what is advised."""

import ctypes
import errno
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import torch

from trainer_core.config.learning_rules import ALL_AT_ONCE
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_SAID = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory", "allocation failed")
"""What CUDA's libraries and torch's allocator for main memory say in a plain RuntimeError."""
_ONEDNN_SAID = ("could not create a primitive", "could not create a memory object")
"""What the CPU's convolutions say, and no more: with more behind it, it means something else."""
_LEAN_OPTIMIZERS = ("adamw8bit", "paged_adamw8bit", "paged_adamw", "lion8bit", "adafactor")

Item = TypeVar("Item")
Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` is a device or main memory that was too small, whoever raised it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (text in _ONEDNN_SAID or any(words in text for words in _SAID))


def free_memory() -> None:
    """Give back what is no longer used; to be called where the error, whose frames hold tensors, is gone."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # glibc keeps what was freed unless it is asked
        ctypes.CDLL(None).malloc_trim(0)


class Portions:
    """Does work on many things some at a time: half as many from then on, where so many do not fit into memory.

    Attributes:
        at_once: how many at most.
    """

    def __init__(self, at_once: int, told: Callable[[int, str], None] = lambda at_once, reason: None) -> None:
        """`told` is called with the new size, and the reason in the allocator's words, each time it is halved."""
        self.at_once = at_once
        self.told = told

    def of(
        self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Yield each portion of `items` with what `work` makes of it; raise where even one is too much."""
        start = 0
        while start < len(items):
            portion = items[start : start + self.at_once]
            try:
                result = work(portion)
            except Exception as error:
                if len(portion) == 1 or not is_out_of_memory(error):
                    raise
                reason = safe_text(error, limit=200)
            else:
                yield portion, result
                start += len(portion)
                continue
            self.at_once = half(len(portion))
            free_memory()
            self.told(self.at_once, reason)


def half(count: int) -> int:
    """Return half of `count`, rounded up."""
    return (count + 1) // 2


def advice(config: Config) -> list[str]:
    """Return settings that need less memory and are not chosen yet, first what costs the result least."""
    memory, is_full, is_cut = config.memory, config.method.train == "full", config.memory.fsdp
    has_card = torch.cuda.is_available() and not is_cut
    ways = [
        ("memory.gradient_checkpointing = true", not memory.gradient_checkpointing),
        ('dataset.cache_latents = "disk"', config.dataset.cache_latents == "off"),
        ("memory.fused_backward = true", is_full and not is_cut and _can_fuse(config)),
        ("memory.stream_state = true", has_card and config.optimizer.type == "adamw" and not memory.stream_state),
        ("memory.stream_activations = true", has_card and not memory.stream_activations),
        ("memory.stream_weights = true", has_card and not is_full and not memory.stream_weights),
        (
            'optimizer.type = "adamw8bit"',
            is_full and not is_cut and config.optimizer.type not in _LEAN_OPTIMIZERS,
        ),
        ('memory.mixed_precision = "bf16" (or "fp16")', memory.mixed_precision == "no"),
        ("ema.enable = false", config.ema.enable),
        ("text_encoder.train = false", config.text_encoder.train),
        ("memory.full_bf16 = true", memory.mixed_precision == "bf16" and not memory.full_bf16),
        ("memory.full_fp16 = true", memory.mixed_precision == "fp16" and not memory.full_fp16),
        ('method.train = "lora"', is_full and not is_cut),
        ('memory.base_dtype = "int8"', not is_full and memory.base_dtype == "same"),
        ('memory.attention = "sliced"', memory.attention != "sliced"),
    ]
    width, height = config.dataset.resolution
    return [way for way, helps in ways if helps] + [f"a dataset.resolution below {width} x {height}"]


def _can_fuse(config: Config) -> bool:
    is_possible = config.optimizer.type not in ALL_AT_ONCE and config.train.gradient_accumulation == 1
    return is_possible and not config.memory.fused_backward


@contextmanager
def out_of_memory_explained(config: Config) -> Iterator[None]:
    """Turn what says "out of memory" inside into a UserError (code OUT_OF_MEMORY) with advice for `config`."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        text = f"There was not enough memory. {told_advice(config, error)}"
        raise UserError(text, ExitCode.OUT_OF_MEMORY) from error


def told_advice(config: Config, reason: object) -> str:
    """Return what to do about too little memory, in order, with the `reason` in the allocator's words."""
    return f"In this order: {'; '.join(advice(config))}. ({safe_text(reason, limit=200)})"
