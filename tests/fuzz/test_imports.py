"""Whatever is pasted as another trainer's command or settings file: a preset comes of it, or a message."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtui.presets.importing.peers.kohya_ss import LORA
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.read import import_text
from dbtui.presets.importing.settle import preset_text, run_file_text
from dbtui.presets.importing.told import told
from tests.fuzz.documents import ANYTHING, HOSTILE, NOISE, documents, toml
from tests.fuzz.profile import tried
from tests.fuzz.watched import bounded, check_refusal, check_shown, nothing_outside
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.errors import ExitCode, UserError

OPTIONS = sorted({*TRAIN_DB.options, *TRAIN_NETWORK.options})
PAGES = sorted(LORA.options)
_PIECES = [
    "train_db.py", "accelerate launch", "=", "\n", "\\\n", "^\r\n", "'", '"', "`", "$X", "X=", "{X}", "$(id)", "(",
    ")", "<a b>", "#", "export", "&&", "|", "${", "f'{", "if True else", "--", "1e-6", "100", "!", "%X%",
]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(OPTIONS).map(lambda name: f"--{name}"),
    st.sampled_from(_PIECES),
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.floats().map(repr),
    st.integers().map(str),
)
COMMANDS = st.lists(WORDS, max_size=25).map(" ".join).map(lambda text: f"accelerate launch train_db.py {text}")
LOOSE = st.lists(WORDS, max_size=25).map("".join)
JSON_VALUES = st.one_of(
    ANYTHING.filter(lambda value: not isinstance(value, str)),
    st.sampled_from([math.nan, 10**400, None, [], {}, "1e-4"]),
)
SETTINGS_JSON = st.dictionaries(st.sampled_from(PAGES) | st.text(max_size=8), JSON_VALUES, max_size=8).map(
    lambda made: json.dumps({"LoRA_type": "Standard", **made}, default=str)
)
DEEP_JSON = st.tuples(st.sampled_from(PAGES), st.integers(1, 5000), st.sampled_from(["[]", "{}"])).map(
    lambda made: json.dumps({made[0]: "@"}).replace('"@"', _nested(made[1], made[2]))
)
SETTINGS_TOML = st.dictionaries(st.sampled_from(OPTIONS), ANYTHING, max_size=8).map(
    lambda made: "".join(f"{name} = {toml(value)}\n" for name, value in made.items())
)


def _nested(depth: int, kind: str) -> str:
    return "[" * depth + "]" * depth if kind == "[]" else '{"a":' * depth + "1" + "}" * depth


@pytest.mark.row(39, 40, 41, 42, 43)
@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(COMMANDS | LOOSE, id="commands"),
        pytest.param(SETTINGS_JSON | DEEP_JSON, id="json"),
        pytest.param(SETTINGS_TOML, id="toml"),
        pytest.param(
            (documents() | NOISE).map(lambda content: content.decode(errors="replace")), id="other files"
        ),
    ],
)
@tried(25, 300)
def test_anything_is_imported_or_refused(profile, texts, library):
    @profile
    @given(texts)
    def look(text):
        try:
            with nothing_outside(*library), bounded():
                found = import_text(text, "the text")
                preset = preset_text(found, {})
                shown = list(told(found))
                run_file = run_file_text(import_text(text, "the text"))
        except UserError as error:
            check_refusal(error, ExitCode.CONFIG)
            return
        check_shown(shown)
        check_preset(preset, "the import")
        parse_config(run_file, "the run file")

    look()
