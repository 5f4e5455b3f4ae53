"""A run without a name of its own is called after what it learns."""

import pytest

from dbtui.runs.prepare import make_run


@pytest.fixture
def named(plan, config, tmp_path):
    def of(**tables) -> str:
        return make_run(config(**tables), plan(**tables), tmp_path / "runs", None).path.name

    return of


def test_identifier_and_class(named):
    assert named() == "sls-frog-1"
    assert named() == "sls-frog-2"


def test_a_prompt_without_an_identifier_says_more_than_the_class(named, pictures):
    frogs = str(pictures("frogs/any", 2) / "any")
    prompts = {"instance_prompt": "photo of sls frog", "class_prompt": "photo of a frog"}
    concept = {"instance_dir": frogs, "class_dir": str(pictures("reg/1_frog", 2) / "1_frog"), **prompts}
    assert named(dataset={"train_dir": None}, concept=[concept]) == "photo-of-sls-frog-1"
    place = {**concept, "instance_prompt": "photo of [filewords]"}
    assert named(dataset={"train_dir": None, "use_filename_as_caption": True}, concept=[place]) == "photo-of-1"


def test_captions_alone(named, pictures):
    train = {"train_dir": str(pictures("captioned/10_frogs", 1))}
    (pictures("captioned/10_frogs", 1) / "10_frogs" / "64x64-0.txt").write_text("a frog")
    assert named(dataset=train, method={"captions": "finetune"}) == "frogs-1"
