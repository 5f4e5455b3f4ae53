"""Loads the large libraries without the parts that no training here uses, to be at the first step sooner."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from trainer_core.models.quiet import quiet_imports

_TAKEN_FOR_MISSING = (
    ("diffusers.utils.import_utils", "_peft_available"),
    ("diffusers.utils.import_utils", "_bitsandbytes_available"),
    ("diffusers.utils", "USE_PEFT_BACKEND"),
)


def lean_imports() -> None:
    """Import diffusers as if peft and bitsandbytes, which it loads for its own use, were not installed.

    For a process that does nothing but this project's work; where diffusers is loaded already, nothing changes.
    """
    quiet_imports()
    if "diffusers" in sys.modules:
        return
    for module, name in _TAKEN_FOR_MISSING:
        setattr(import_module(module), name, False)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Let `torch.compile` give back what it is given: bitsandbytes calls it while it is imported.

    What it compiles there serves only devices without kernels of their own; the compiler takes a second to load.
    """
    import torch

    compiler = torch.compile
    torch.compile = _as_it_is  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compiler


def _as_it_is(function: Callable[..., Any] | None = None, **_: Any) -> Callable[..., Any]:
    return _as_it_is if function is None else function
