"""The header of a safetensors file, read and checked without any library, so that a hostile one stays harmless."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

MAX_HEADER_BYTES = 16 * 2**20  # a complete SD model needs 0.2 MB, the tags of a LoRA's pictures more
MAX_ITEMS = 200_000  # of its JSON, of which a model has 30 thousand; 16 MB of nothing else would become 2 GB
MAX_SIDES = 16  # a convolution has 4
ITEM_BYTES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
FLOAT_DTYPES = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as the header describes it; `start` and `end` are offsets in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return (self.end - self.start) // ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file holds."""

    path: Path
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Return the header of the safetensors file `path`; a UserError (exit code 4) if anything in it is wrong."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
            _check_length(path, start, length, size)
            raw = file.read(length)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        text = f"{safe_text(path)}: cannot be read: {reason}; check the path and its permissions"
        raise UserError(text, ExitCode.MODEL) from error
    entries = _parse(path, raw)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = {name: _tensor(path, name, entry, 8 + length) for name, entry in entries.items()}
    _check_cover(path, tensors, 8 + length, size)
    return Header(path, tensors, metadata)


def read_floats(header: Header, name: str, limit: int = 65536) -> list[float]:
    """Return the values of the small float tensor `name`; empty if it is missing, large or not of floats."""
    info = header.tensors.get(name)
    if info is None or info.dtype not in FLOAT_DTYPES or info.elements > limit:
        return []
    with header.path.open("rb") as file:
        file.seek(info.start)
        raw = file.read(info.end - info.start)
    if info.dtype == "BF16":  # the upper half of a float32
        halves = struct.unpack(f"<{info.elements}H", raw)
        raw = struct.pack(f"<{info.elements}I", *(half << 16 for half in halves))
        return list(struct.unpack(f"<{info.elements}f", raw))
    letter = {"F64": "d", "F32": "f", "F16": "e"}[info.dtype]
    return list(struct.unpack(f"<{info.elements}{letter}", raw))


def damaged(path: Path, what: str) -> NoReturn:
    """Raise the UserError for a damaged file."""
    raise UserError(
        f"{safe_text(path)}: the file is damaged: {safe_text(what)}; download or copy it again", ExitCode.MODEL
    )


def _check_length(path: Path, start: bytes, length: int, size: int) -> None:
    if 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        return
    if start.startswith((b"PK\x03\x04", b"\x80")):
        problem = "this is a pickled checkpoint, not safetensors; rename it to end in .ckpt"
        raise UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
    if start in {b"version ", b"<!DOCTYP", b"<!doctyp"} or start.startswith(b"<html"):
        problem = "this is a text file (a Git LFS pointer or a web page) in place of the model; download the model"
        raise UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
    if length < 2:
        damaged(path, f"it ends within its first 8 bytes ({size} bytes in all)" if length < 0 else "no header")
    if length > MAX_HEADER_BYTES:
        damaged(path, f"its header claims {length} bytes, more than the {MAX_HEADER_BYTES} allowed")
    damaged(path, f"it ends within its header (at byte {size} of {8 + length})")


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            raise ValueError("a name appears twice")
        return entries

    if raw[:1] != b"{":
        damaged(path, "its header does not start with {")
    if sum(map(raw.count, (b",", b"{", b"["))) > MAX_ITEMS:
        damaged(path, f"its header holds more than {MAX_ITEMS} items")
    try:
        entries = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        damaged(path, f"its header is not valid: {error}")
    if not isinstance(entries, dict):
        damaged(path, "its header is not a table")
    return entries


def _metadata(path: Path, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        damaged(path, "its metadata is not text")
    return metadata


def _tensor(path: Path, name: str, entry: Any, data_start: int) -> TensorInfo:
    try:
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        numbers = (*shape, start, end)
    except (KeyError, TypeError, ValueError):
        damaged(path, f"the entry of tensor {name} is incomplete")
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        damaged(path, f"tensor {name} has the unknown type {dtype}")
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        damaged(path, f"tensor {name} has an impossible shape or offset")
    if len(shape) > MAX_SIDES:
        damaged(path, f"tensor {name} has {len(shape)} sides")
    bytes_needed = ITEM_BYTES[dtype] * math.prod(shape)
    if end - start != bytes_needed:
        damaged(path, f"tensor {name} needs {bytes_needed} bytes and has {end - start}")
    return TensorInfo(dtype, shape, data_start + start, data_start + end)


def _check_cover(path: Path, tensors: dict[str, TensorInfo], data_start: int, size: int) -> None:
    """Tensors must follow one another without holes or overlaps up to the end of the file."""
    position = data_start
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != position:
            damaged(path, f"tensor {name} starts at byte {info.start} instead of {position}")
        position = info.end
    if position > size:
        damaged(path, f"it ends at byte {size} of {position}")
    if position < size:
        damaged(path, f"{size - position} bytes follow the last tensor, at byte {position}")
