"""What a model tells of its training stays with it in other forms, unless it should not be given on."""

import pytest

from trainer_core.models.carried import PRESET, kept_facts, read_carried
from trainer_core.models.convert import convert
from trainer_core.models.hashed import NAME, WHOLE
from trainer_core.models.save import save_model

GOOD = "schema = 1\n[train]\nmax_steps = 7\n"


@pytest.mark.parametrize(("preset", "is_kept"), [(GOOD, True), (f'{GOOD}[model]\nbase = "/etc"\n', False)])
def test_a_conversion_keeps_the_settings_and_the_start_model(preset, is_kept, tiny_models, tmp_path):
    facts = {PRESET: preset, NAME: "sd15.safetensors", WHOLE: "0" * 64, "x.other": "?"}
    (source,) = save_model(tiny_models["sd1"], tmp_path / "a", format="safetensors", metadata=facts).paths
    (folder,) = convert(str(source), tmp_path / "folder").saved.paths
    expected = {name: text for name, text in facts.items() if name != "x.other"} if is_kept else {}
    assert kept_facts(folder) == expected
    if is_kept:
        assert read_carried(folder).text == preset


def test_a_name_that_is_none_is_not_given_on(tiny_models, tmp_path):
    facts = {PRESET: GOOD, NAME: "x" * 256}
    (file,) = save_model(tiny_models["sd1"], tmp_path / "a", format="safetensors", metadata=facts).paths
    assert kept_facts(file) == {PRESET: GOOD}
