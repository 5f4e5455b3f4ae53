import pytest

from dbtui.wizard.answers import config_of, problems_of, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import DraftFile, load_draft
from trainer_core.errors import UserError


def test_answers_lie_over_the_preset():
    draft = Draft(preset="sd15-12gb")
    draft.set("train.max_steps", 800)
    config = resolved(draft)
    assert (config.train.max_steps, config.preset.name) == (800, "sd15-12gb")
    assert config.dataset.resolution == (512, 512)
    draft.set("train.max_steps", None)
    assert resolved(draft).train.max_steps == 1600


def test_answers_of_a_choice_not_taken_are_kept_but_not_used():
    draft = Draft(preset="sd15-12gb")
    draft.set("network.rank", 8)
    draft.set("method.train", "lora")
    assert resolved(draft).network.rank == 8
    draft.set("method.train", "full")
    assert resolved(draft).method.train == "full"
    assert draft.get("network.rank") == 8


def test_what_is_missing_and_what_is_wrong_names_its_setting():
    draft = Draft(preset="sd15-12gb")
    with pytest.raises(UserError) as caught:
        config_of(draft)
    assert [problem.key for problem in problems_of(caught.value)] == ["model.base", "dataset.train_dir"]
    draft.set("train.batch_size", 0)
    with pytest.raises(UserError) as caught:
        resolved(draft)
    assert problems_of(caught.value)[0].key == "train.batch_size"


def test_a_draft_survives_on_disk_and_a_damaged_one_is_none():
    draft = Draft(preset="sd15-12gb", step="subject", goal="style")
    draft.concept()["identifier"] = "sls\udcff"
    file = DraftFile.new()
    file.save(draft)
    assert load_draft(file.path) == draft
    for damage in ('{"version": 1, "tables": []}', "{", "[" * 100_000):
        file.path.write_text(damage)
        assert load_draft(file.path) is None
    file.forget()
    assert load_draft(file.path) is None
