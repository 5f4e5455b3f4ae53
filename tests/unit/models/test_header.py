import json
import struct
import time

import pytest
import torch
from safetensors.torch import save_file

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.header import MAX_HEADER_BYTES, read_floats, read_header


def raw(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(start: int = 0, end: int = 4, dtype: object = "F32", shape: object = (1,)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HOSTILE = {
    "empty": (b"", "damaged"),
    "seven bytes": (b"1234567", "damaged"),
    "length lie": (raw({"a": entry()}, b"1234", length=10**6), "ends within its header"),
    "huge length": (struct.pack("<Q", 2**63) + b"{}", "more than"),
    "over the cap": (struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{}", "more than"),
    "no header": (struct.pack("<Q", 0), "no header"),
    "not json": (raw(b"{nonsense}"), "not valid"),
    "not utf-8": (raw(b'{"\xff": 1}'), "not valid"),
    "deep nesting": (raw(b'{"a":' * 100_000), "not valid"),
    "a list": (raw(b"[1, 2]"), "does not start with"),
    "duplicate names": (raw(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'), "twice"),
    "entry not a table": (raw({"a": 5}), "incomplete"),
    "no offsets": (raw({"a": {"dtype": "F32", "shape": [1]}}, b"1234"), "incomplete"),
    "three offsets": (raw({"a": {**entry(), "data_offsets": [0, 2, 4]}}, b"1234"), "incomplete"),
    "unknown dtype": (raw({"a": entry(dtype="F99")}, b"1234"), "unknown type"),
    "dtype a list": (raw({"a": entry(dtype=[1])}, b"1234"), "unknown type"),
    "negative side": (raw({"a": entry(shape=[-1])}, b"1234"), "impossible"),
    "side a boolean": (raw({"a": entry(shape=[True])}, b"1234"), "impossible"),
    "side a float": (raw({"a": entry(shape=[1.0])}, b"1234"), "impossible"),
    "side a bigint": (raw({"a": entry(shape=[10**30])}, b"1234"), "impossible"),
    "shape lie": (raw({"a": entry(shape=[2])}, b"1234"), "needs 8 bytes and has 4"),
    "sides that overflow": (raw({"a": entry(shape=[2**62, 4])}, b"1234"), "needs"),
    "end before start": (raw({"a": entry(4, 0)}, b"1234"), "needs"),
    "overlap": (raw({"a": entry(), "b": entry()}, b"1234"), "starts at byte"),
    "hole": (raw({"a": entry(0, 4), "b": entry(8, 12)}, b"123456789012"), "starts at byte"),
    "short data": (raw({"a": entry()}, b"12"), "ends at byte"),
    "trailing bytes": (raw({"a": entry()}, b"12345"), "follow the last tensor"),
    "metadata not text": (raw({"__metadata__": {"a": 1}, "a": entry()}, b"1234"), "metadata"),
    "pickle (zip)": (b"PK\x03\x04" + b"\0" * 60, "pickled checkpoint"),
    "pickle (legacy)": (b"\x80\x02" + b"\0" * 60, "pickled checkpoint"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    "web page": (b"<!DOCTYPE html><html></html>", "web page"),
}


@pytest.mark.row(48)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_by_name(tmp_path, name):
    content, expected = HOSTILE[name]
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_header(path)
    assert caught.value.code == ExitCode.MODEL
    assert len(caught.value.problems) == 1
    assert "hostile.safetensors" in caught.value.problems[0]
    assert expected in caught.value.problems[0]


@pytest.mark.row(48)
def test_a_flood_of_empty_tensors_is_refused_quickly(tmp_path):
    one = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    path = tmp_path / "flood.safetensors"
    path.write_bytes(raw({f"t{number}": one for number in range(150_000)}))
    started = time.process_time()
    with pytest.raises(UserError, match="more than 200000 items"):
        read_header(path)
    assert time.process_time() - started < 10


def test_a_healthy_header(tmp_path):
    path = tmp_path / "healthy.safetensors"
    tensors = {
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([0.5, -3.0], dtype=torch.bfloat16),
        "single": torch.tensor([[0.25, 8.0]]),
        "count": torch.arange(3),
    }
    save_file(tensors, path, {"key": "value"})
    header = read_header(path)
    assert header.metadata == {"key": "value"}
    assert {name: (info.dtype, info.shape) for name, info in header.tensors.items()} == {
        "half": ("F16", (2,)),
        "brain": ("BF16", (2,)),
        "single": ("F32", (1, 2)),
        "count": ("I64", (3,)),
    }
    assert read_floats(header, "half") == [1.5, -2.0]
    assert read_floats(header, "brain") == [0.5, -3.0]
    assert read_floats(header, "single") == [0.25, 8.0]
    assert read_floats(header, "count") == []
    assert read_floats(header, "missing") == []


def test_an_unreadable_path_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.safetensors: cannot be read"):
        read_header(tmp_path / "gone.safetensors")


@pytest.mark.row(48)
def test_a_header_length_that_looks_like_a_pickle(tmp_path):
    """0x80 is a pickle's first byte, and as good a header length as any."""
    for padding in range(0x380):
        text = json.dumps({"__metadata__": {"p": "x" * padding}, "a": entry()}).encode()
        if len(text) & 0xFF == 0x80:
            break
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw(text, b"1234"))
    assert path.read_bytes()[0] == 0x80
    assert list(read_header(path).tensors) == ["a"]
