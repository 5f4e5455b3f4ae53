"""Captions' settings that no caption gives anything to do are named, and only those."""

import pytest


@pytest.fixture
def remarks(plan, pictures):
    """The remarks on settings of two pictures with these captions."""

    def of(settings, *captions, **tables) -> list[str]:
        train = pictures("captions/2_sls frog", 2)
        for number, caption in enumerate(captions):
            (train / "2_sls frog" / f"64x64-{number}.txt").write_text(caption)
        notes = plan(dataset={"train_dir": str(train), **settings}, **tables).notes
        return [note for note in notes if note.startswith("dataset.")]

    return of


@pytest.mark.parametrize(
    ("settings", "idle", "busy"),
    [
        ({"shuffle_caption": True}, "sls frog", "sls frog, green"),
        ({"shuffle_caption": True, "keep_tokens": 1}, "sls, frog", "sls, frog, green"),
        ({"shuffle_caption": True, "caption_separator": ";"}, "sls, frog", "sls; frog"),
        ({"tag_dropout_rate": 0.1, "keep_tokens": 2}, "sls, frog", "sls, frog, green"),
        ({"token_warmup_steps": 10, "token_warmup_min": 2}, "sls, frog", "sls, frog, green"),
        ({"wildcard": True}, "sls frog", "sls {frog|toad}"),
        ({"secondary_separator": ";;;"}, "sls, frog", "sls;;;frog"),
        ({"combine_prompt": "[PX], [P]"}, "", "sls frog"),
        ({"caption_extension": ".txt"}, "", "sls frog"),
    ],
)
def test_a_setting_without_anything_to_do(remarks, settings, idle, busy):
    (note,) = remarks(settings, idle)
    assert note.startswith(f"dataset.{next(iter(settings))}")
    assert remarks(settings, idle, busy) == []


def test_a_separator_that_stands_nowhere(remarks):
    settings = {"keep_tokens_separator": "|||", "shuffle_caption": True}
    (note,) = remarks(settings, "sls, frog, green")
    assert note == 'dataset.keep_tokens_separator has no effect: "|||" stands in no caption'
    assert remarks(settings, "sls ||| frog, green") == []


def test_a_prompt_that_every_caption_replaces(plan, pictures):
    folder = pictures("own/frogs", 2) / "frogs"
    concept = {
        "identifier": "sls",
        "class": "frog",
        "instance_dir": str(folder),
        "instance_prompt": "the sls frog",
    }

    def told(**dataset) -> list[str]:
        made = plan(dataset={"train_dir": None, **dataset}, concept=[concept])
        return [note for note in made.notes if "instance_prompt" in note]

    (folder / "64x64-0.txt").write_text("sls in the water")
    assert told() == []
    (folder / "64x64-1.txt").write_text("sls on a stone")
    (note,) = told()
    assert note.startswith('concept.instance_prompt (in [[concept]] number 1) "the sls frog" is trained with no')
    assert told(captions_for="class") == told(combine_prompt="[PX], [P]") == []
    concept["instance_prompt"] = "the sls frog, [filewords]"
    assert told() == []
