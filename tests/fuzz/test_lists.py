"""Whatever a list of concepts or of preview prompts holds: it is read or refused, and nothing else happens."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import ANYTHING, HOSTILE, NOISE, TEXTS
from tests.fuzz.profile import tried
from tests.fuzz.watched import bounded, check_refusal, check_shown, nothing_outside
from trainer_core.config.concepts_json import FIELDS
from trainer_core.config.concepts_list import read_concepts_list
from trainer_core.config.prompts_file import OPTIONS, read_prompts
from trainer_core.config.reader import parse_config
from trainer_core.errors import ExitCode, UserError

WORDS = st.sampled_from(["sls frog", "pictures", "a photo of sls frog", "../up", "[filewords]", *HOSTILE])
RIGHT = {"text": WORDS, "number": st.floats(1, 30), "whole number": st.integers(0, 200)}
ENTRIES = st.fixed_dictionaries(
    {"instance_data_dir": st.sampled_from(["pictures", "/etc", "~/x", "$HOME", "a\0b"])},
    optional={name: RIGHT[kind] | ANYTHING for name, kind in FIELDS.items() if "instance_data" not in name}
    | {"other": ANYTHING},
)
LISTS = (st.lists(ENTRIES, max_size=4) | ANYTHING).map(lambda made: json.dumps(made, default=str).encode())
DOUBLES = b"[{" + b",".join(b'"%d":1' % number for number in (*range(7000), 6999)) + b"}]"


@pytest.mark.row(39, 40, 41, 42, 43, 44)
@tried(50, 1000)
def test_any_concepts_list(profile, tmp_path):
    file = tmp_path / "concepts.json"
    config = parse_config("schema = 1\n", "x")

    @profile
    @given(LISTS | NOISE | st.just(DOUBLES))
    def look(content):
        file.write_bytes(content)
        try:
            with nothing_outside(tmp_path, may_look=True), bounded():
                listed = read_concepts_list(file, config)
                parse_config("schema = 1\n", "x", over=[listed.layer])
        except UserError as error:
            check_refusal(error, ExitCode.CONFIG)
        else:
            check_shown(listed.notes or ["nothing"])

    look()


LINES = st.lists(
    st.one_of(
        WORDS,
        TEXTS,
        st.sampled_from([f" --{letter} " for letter in (*OPTIONS, "ss", "cn", "x")]),
        st.integers().map(str),
        st.floats().map(str),
        st.just("\n"),
    ),
    max_size=20,
).map(lambda words: "".join(words).encode("utf-8", "replace"))


@pytest.mark.row(39, 40, 41, 43, 44)
@tried(50, 1000)
def test_any_file_of_prompts(profile, tmp_path):
    file = tmp_path / "prompts.txt"

    @profile
    @given(LINES | NOISE)
    def look(content):
        file.write_bytes(content)
        try:
            with nothing_outside(tmp_path), bounded():
                prompts = read_prompts(file)
        except UserError as error:
            check_refusal(error, ExitCode.CONFIG)
        else:
            assert all(math.isfinite(each.guidance_scale) and each.prompt for each in prompts)

    look()
