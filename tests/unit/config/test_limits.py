"""Texts made to take the reader long are refused fast and in little memory (tests/fuzz has arbitrary ones)."""

import gc
import time
import tracemalloc

import pytest

from trainer_core.config.reader import check_preset, parse_config, read_config
from trainer_core.errors import UserError

NASTY = {
    "deep array": "a = " + "[" * 60_000,
    "closed deep array": "a = " + "[" * 20_000 + "]" * 20_000,
    "deep inline table": "a = " + "{a = " * 12_000,
    "deep known value": "schema = 1\n[optimizer]\neps = " + "[" * 300 + "]" * 300,
    "long dotted key": "a" + ".a" * 30_000 + " = 1",
    "dotted keys": "\n".join(f"k{number}" + ".a" * 128 + " = 1" for number in range(240)),
    "dotted tables": "\n".join(f"[k{number}" + ".a" * 128 + "]" for number in range(240)),
    "huge integer": "a = " + "9" * 60_000,
    "huge hexadecimal": "schema = 1\n[train]\nseed = 0x" + "f" * 60_000,
    "huge float": "schema = 1\n[optimizer]\neps = 1e" + "9" * 60_000,
    "many unknown keys": "schema = 1\n" + "\n".join(f"key{number}=1" for number in range(5_000)),
    "many close keys": "schema = 1\n[optimizer]\n" + "\n".join(f"learning_rate{n}=1" for n in range(2_500)),
    "long unknown key": "schema = 1\n" + "a" * 60_000 + " = 1",
    "long text": "schema = 1\n[optimizer]\ntype = '" + "a" * 60_000 + "'",
    "many concepts": "schema = 1\n" + "[[concept]]\n" * 5_000,
    "many wrong prompts": "schema = 1\n[sample]\nprompts = [" + "{seed=-1}," * 6_000 + "]",
    "long list": "schema = 1\n[optimizer]\nbetas = [" + "1," * 30_000 + "]",
    "escapes": 'schema = 1\n[preset]\ntitle = "' + "\\u001b" * 10_000 + '"',
    "revisions": "revision = " * 5_000,
    "addresses": "://a:" * 10_000,
    "spaces": " " * 65_000 + "=",
    "quotes": 'a = "' + "'" * 65_000,
    "slashes": "schema = 1\n[preset]\ntitle = '" + "/a" * 30_000 + "'",
    "dashes": "schema = 1\n[preset]\ntitle = '" + "hf_" * 20_000 + "'",
    "too large": "#" * 70_000,
}


@pytest.fixture
def own_time():
    """Tell the seconds of this thread since the test began, without those of the collector of garbage."""
    gc.disable()
    began = time.thread_time()
    yield lambda: time.thread_time() - began
    gc.enable()


@pytest.mark.row(41)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("read", [parse_config, check_preset])
def test_nasty_texts_are_refused_fast(text, read, own_time):
    with pytest.raises(UserError) as caught:
        read(text, "run.toml")
    assert own_time() < 1
    assert all(len(problem) < 600 for problem in caught.value.problems)


@pytest.mark.row(41)
def test_a_huge_file_is_not_read_into_memory(tmp_path):
    file = tmp_path / "run.toml"
    with file.open("wb") as written:
        written.truncate(2**30)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="larger than 64 KB"):
            read_config(file)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
