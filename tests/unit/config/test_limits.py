"""No text takes the reader more than a second or a few megabytes, whatever it holds (reliability.md, row 41)."""

import string
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.config.fields import all_fields, all_tables
from trainer_core.config.reader import check_preset, parse_config, read_config
from trainer_core.errors import UserError

NASTY = {
    "deep array": "a = " + "[" * 60_000,
    "closed deep array": "a = " + "[" * 20_000 + "]" * 20_000,
    "deep inline table": "a = " + "{a = " * 12_000,
    "deep known value": "schema = 1\n[optimizer]\neps = " + "[" * 300 + "]" * 300,
    "long dotted key": "a" + ".a" * 30_000 + " = 1",
    "dotted keys": "\n".join(f"k{number}" + ".a" * 250 + " = 1" for number in range(120)),
    "dotted tables": "\n".join(f"[k{number}" + ".a" * 250 + "]" for number in range(120)),
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


@pytest.mark.row(41)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("read", [parse_config, check_preset])
def test_nasty_texts_are_refused_fast(text, read):
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        read(text, "run.toml")
    assert time.process_time() - started < 1
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


KEYS = st.sampled_from(
    [*all_fields(), *(table.key for table in all_tables()), "schema", "extends", "optimizer.eps.x", "a.b"]
)
VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.booleans().map(lambda value: "true" if value else "false"),
    st.sampled_from(
        ['"fp16"', '"polynomial"', '"sd15"', '"~x/y"', '"\\u0000"', "[]", "{}", "[{}]", "[[1]]", "1979-05-27"]
    ),
    st.text(max_size=20).map(lambda text: f"'{text}'"),
    st.lists(st.integers() | st.floats(), max_size=3).map(repr),
)
HEADERS = st.sampled_from(
    [f"[{table.key}]" for table in all_tables()] + [f"[[{table.key}]]" for table in all_tables()]
)
SETTINGS = st.tuples(KEYS | st.text(string.ascii_letters, min_size=1), VALUES).map(" = ".join)
FILES = st.lists(SETTINGS | HEADERS | st.text(max_size=30), max_size=12).map(lambda lines: "\n".join(lines))


def read_within_a_second(text: str, overrides: list[str]) -> None:
    started = time.process_time()
    told = "nothing"
    try:
        parse_config(text, "run.toml", find_preset=lambda name: "schema = 1\n", overrides=overrides)
    except UserError as error:
        told = str(error)
    assert told
    assert "\x1b" not in told
    assert time.process_time() - started < 1


@pytest.mark.row(39, 40)
@given(
    FILES.map(lambda text: "schema = 1\n" + text),
    st.lists(SETTINGS.map(lambda text: text.replace(" = ", "=")), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_no_settings_raise_anything_but_a_message(text, overrides):
    read_within_a_second(text, overrides)


@given(st.text(), st.lists(st.text(), max_size=3))
@settings(max_examples=200, deadline=None)
def test_no_text_raises_anything_but_a_message(text, overrides):
    read_within_a_second(text, overrides)


@pytest.mark.row(41)
@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise_anything_but_a_message(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "bytes.toml"
    file.write_bytes(content)
    with pytest.raises(UserError):  # no short binary holds "schema = 1"
        read_config(file)
