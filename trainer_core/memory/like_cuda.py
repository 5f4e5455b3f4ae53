"""Lets a rehearsal on CPU tensors without values take the ways that a GPU would.

Fake tensors of CUDA need a build of torch with CUDA, so those of the CPU stand in for them. Two things differ:
autocast's list of operations, and that nothing can be read from a tensor that has no values.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

_IN_FLOAT32 = ("group_norm", "layer_norm", "softmax.int")
"""What autocast computes in float32 on CUDA but not on a CPU, as far as the trainer's models use it (torch's
documentation, Automatic Mixed Precision package, "CUDA Ops that can autocast to float32")."""


class Reads(TorchFunctionMode):
    """While it is entered, questions for a tensor's values are answered: nothing is skipped, numbers are 1."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function of torch."""
        answer = _ANSWERS.get(func)
        if answer and isinstance(args[0], FakeTensor) and args[0].constant is None:
            return answer(args[0])
        return func(*args, **(kwargs or {}))


@contextmanager
def cuda_autocast() -> Iterator[None]:
    """Let autocast on the CPU compute what it would on CUDA in float32, while it lasts."""
    library = torch.library.Library("aten", "IMPL")
    try:
        for name in _IN_FLOAT32:
            library.impl(name, _in_float32(name), "AutocastCPU")
        yield
    finally:
        library._destroy()


def _in_float32(name: str) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
    autocast = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)

    def run(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(autocast):
            return operation(*map(_float32, args), **{key: _float32(value) for key, value in kwargs.items()})

    return run


def _float32(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


_ANSWERS: dict[Any, Callable[[Tensor], Any]] = {
    Tensor.__bool__: lambda _: False,
    Tensor.__float__: lambda _: 1.0,
    Tensor.item: lambda _: 1.0,
}
