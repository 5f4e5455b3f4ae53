"""Counts the bytes of all tensors alive, and remembers when they were most."""

import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

OTHER = "activations"
"""What is neither held nor a gradient: kept for the way back, or a temporary."""


@dataclass(slots=True)
class _Block:
    """A storage: its bytes, what it is counted as, and what tells of its end."""

    size: int
    kind: str
    end: Any


class Tracker(TorchDispatchMode):
    """While it is entered, every storage that an operation makes is counted from its birth to its end.

    torch's own MemTracker (torch.distributed._tools) stops at the second call of a model, which is every
    accumulated batch, and knows no optimizer that is not torch's; a test holds the two against each other.

    Attributes:
        now: bytes alive, by kind.
        total: all of them.
        peak: `now` when the total was highest since `begin`.
        apart: the highest total less the gradients since `begin`: what a pass needs beside gradients that are
            all there already.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.now: Counter[str] = Counter()
        self.total = 0
        self.peak: Counter[str] = Counter()
        self.apart = 0
        self._highest = 0
        self._blocks: dict[int, _Block] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.count(leaf)
        return result

    def begin(self) -> None:
        """Forget the peak: it is what is alive now."""
        self._highest, self.apart = self.total, self.total - self.now["gradients"]
        self.peak = self.now.copy()

    def count(self, tensor: Tensor, kind: str = "") -> None:
        """Count a tensor's storage from now on; with `kind`, as that, whatever it was before."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        block = self._blocks.get(key)
        if block is None:
            end = weakref.ref(storage, lambda _: self._end(key))
            self._blocks[key] = _Block(storage.nbytes(), kind or OTHER, end)
            self._add(storage.nbytes(), kind or OTHER)
        elif kind and kind != block.kind:
            self._add(-block.size, block.kind)
            block.kind = kind
            self._add(block.size, kind)

    def hold(self, tensors: Iterable[Tensor], kind: str) -> None:
        """Count tensors that were made outside."""
        for tensor in tensors:
            self.count(tensor, kind)

    def let_go(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors no more: they lie elsewhere."""
        for tensor in tensors:
            self._end(tensor.untyped_storage()._cdata)

    def _end(self, key: int) -> None:
        block = self._blocks.pop(key, None)
        if block is not None:
            self._add(-block.size, block.kind)

    def _add(self, size: int, kind: str) -> None:
        self.now[kind] += size
        self.total += size
        self.apart = max(self.apart, self.total - self.now["gradients"])
        if self.total > self._highest:
            self._highest, self.peak = self.total, self.now.copy()
