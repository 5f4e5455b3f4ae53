"""Writing safetensors so that a save costs little: each tensor is hashed and written once.

The format: https://github.com/huggingface/safetensors (8 bytes length, a JSON header, the tensors without gaps).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from trainer_core.run.checkpoints import Fingerprint

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_CHUNK = 16 << 20
_ENOUGH = 1 << 20
_AHEAD = 4
"""Chunks that may be written before they are hashed; each is kept in memory until then."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> Fingerprint:
    """Write `tensors` of any device to a new file at `path`, to the disk; return its size and SHA-256.

    Hashing goes on beside the writing. Raises OSError.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))
    digest, size = hashlib.sha256(), 0
    waiting: list[Future[None]] = []
    with path.open("wb") as file, ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:
        for chunk in _gathered(_chunks(ordered)):
            waiting.append(pool.submit(digest.update, chunk))
            file.write(chunk)
            size += len(chunk)
            while len(waiting) > _AHEAD:
                waiting.pop(0).result()
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def write_bytes(path: Path, content: bytes) -> Fingerprint:
    """Write a small file to the disk; return its size and SHA-256. Raises OSError."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _gathered(chunks: Iterator[memoryview]) -> Iterator[memoryview]:
    """Put small chunks together: a LoRA has thousands of them."""
    waiting: list[memoryview] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= _ENOUGH:
            yield memoryview(b"".join(waiting)) if len(waiting) > 1 else chunk
            waiting, size = [], 0
    yield memoryview(b"".join(waiting))


def _chunks(tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    header = _header(tensors)
    yield memoryview(len(header).to_bytes(8, "little") + header)
    for tensor in tensors.values():
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        content = flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]


def _header(tensors: Mapping[str, Tensor]) -> bytes:
    described, end = {}, 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        described[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(described, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)
