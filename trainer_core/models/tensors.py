"""Reading single tensors out of safetensors files."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.slots import Slot
from trainer_core.text import safe_text

TORCH_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class TensorReader:
    """Keeps the files open that slots point to; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._files: dict[Path, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, slot: Slot) -> Tensor:
        """Return the slot's tensor in the module's shape, in memory of its own."""
        tensor = self.read_as_stored(slot)
        if slot.third is not None:
            tensor = tensor.chunk(3)[slot.third].clone()
        return tensor.reshape(slot.shape)

    def read_as_stored(self, slot: Slot) -> Tensor:
        """Return the whole tensor as it lies in the file, in memory of its own."""
        try:
            # A copy: a tensor that is still mapped would change, or kill the process, with the file.
            tensor: Tensor = self._file(slot.path).get_tensor(slot.name).clone()
        except Exception as error:
            raise UserError(
                f"{safe_text(slot.path)}: {safe_text(slot.name)} cannot be read: {safe_text(error)}",
                ExitCode.MODEL,
            ) from error
        return tensor

    def _file(self, path: Path) -> Any:
        from safetensors import safe_open

        if path not in self._files:
            self._files[path] = self._stack.enter_context(safe_open(path, framework="pt", device="cpu"))
        return self._files[path]
