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

    def read(self, slot: Slot, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return the slot's tensor in the module's shape, on `device` in memory of its own.

        It goes straight there, in the type it is stored in: main memory holds no copy of what goes to a GPU.
        """
        mapped = self._mapped(slot)
        if slot.third is not None:
            mapped = mapped.chunk(3)[slot.third]
        moved = mapped.to(device)
        # A copy: a tensor that is still mapped would change, or kill the process, with the file.
        return moved.to(dtype, copy=moved is mapped).reshape(slot.shape)

    def read_as_stored(self, slot: Slot) -> Tensor:
        """Return the whole tensor as it lies in the file, in memory of its own."""
        return self._mapped(slot).clone()

    def _mapped(self, slot: Slot) -> Tensor:
        try:
            tensor: Tensor = self._file(slot.path).get_tensor(slot.name)
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
