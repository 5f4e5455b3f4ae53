"""Whatever stands in a settings file with lists of tables (concepts, samples, subsets): a preset, or a message."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dbtui.presets.importing.peers.datasets import DATASETS
from dbtui.presets.importing.peers.extension import EXTENSION
from dbtui.presets.importing.peers.onetrainer import ONETRAINER
from dbtui.presets.importing.read import import_text
from dbtui.presets.importing.settle import preset_text, run_file_text
from dbtui.presets.importing.told import as_json, told
from tests.fuzz.documents import ANYTHING, HOSTILE, toml
from tests.fuzz.profile import tried
from tests.fuzz.watched import bounded, check_refusal, check_shown, nothing_outside
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.errors import ExitCode, UserError

_WORDS = (
    "FLOAT_16 BFLOAT_16 NEVER EPOCH STEP MINUTE ADAMW_8BIT full attn-mlp true 0 5 1e-4 BOTH MIN_SNR_GAMMA CPU 150"
    " 512x768 constant [filewords] v2x"
)
VALUES = st.one_of(
    st.sampled_from(_WORDS.split()),
    st.sampled_from(HOSTILE),
    st.sampled_from(["8bit AdamW", 10**400, [], {}, None]),
    st.floats(),
    st.integers(-5, 2000),
    st.booleans(),
    ANYTHING,
)


def settings_of(names):
    return st.dictionaries(st.sampled_from(sorted(names)) | st.text(max_size=5), VALUES, max_size=10).map(
        in_tables
    )


def in_tables(settings):
    """Put names with a dot into their table."""
    made = {}
    for name, value in settings.items():
        table, _, inner = name.partition(".")
        if not inner:
            made[name] = value
        elif isinstance(made.setdefault(table, {}), dict):
            made[table][inner] = value
    return made


def entries_of(option, **always):
    tables = settings_of(option.rules).map(lambda made: {**always, **made})
    return st.lists(tables | VALUES, max_size=4)


def written(made):
    return json.dumps(made, default=str)


CONCEPTS = entries_of(ONETRAINER.options["concepts"], path="a")
SAMPLES = entries_of(ONETRAINER.options["samples"], prompt="a frog")
OF_ONETRAINER = st.builds(
    lambda made, method, concepts, samples: written(
        {**made, "training_method": method, "concepts": concepts, "samples": samples}
    ),
    settings_of({*ONETRAINER.options, *ONETRAINER.aliases}),
    st.sampled_from(["LORA", "FINE_TUNE"]),
    CONCEPTS,
    SAMPLES,
)
OF_EXTENSION = st.builds(
    lambda made, concepts: written({"lifetime_revision": 1, **made, "concepts_list": concepts}),
    settings_of({*EXTENSION.options, *EXTENSION.aliases}),
    entries_of(EXTENSION.options["concepts_list"], instance_data_dir="a"),
)
SUBSETS = st.lists(
    st.dictionaries(st.sampled_from(sorted(DATASETS.options["subsets"].rules)), ANYTHING, max_size=6), max_size=4
).map(
    lambda subsets: (
        "[[datasets]]\n"
        + "".join(
            "[[datasets.subsets]]\n" + "".join(f"{name} = {toml(value)}\n" for name, value in subset.items())
            for subset in subsets
        )
    )
)


@tried(40, 1000)
def test_lists_of_tables_are_imported_or_refused(profile, library):
    @profile
    @given(st.one_of(OF_ONETRAINER, OF_EXTENSION, SUBSETS, CONCEPTS.map(written), SAMPLES.map(written)))
    def look(text):
        try:
            with nothing_outside(*library), bounded():
                found = import_text(text, "the file")
                preset = preset_text(found, {})
                shown = list(told(found))
                assert written(as_json(found, preset))
                run_file = run_file_text(import_text(text, "the file"))
        except UserError as error:
            check_refusal(error, ExitCode.CONFIG)
            return
        check_shown(shown)
        check_preset(preset, "the import")
        parse_config(run_file, "the run file")

    look()
