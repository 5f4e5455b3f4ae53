"""Advice from the guides: given where it applies, and only there."""

import pytest


def notes(made, word: str) -> list[str]:
    return [note for note in made.notes if word in note]


@pytest.mark.parametrize(("steps", "seen"), [(40, "4 times"), (10_000, "1000 times")])
def test_far_too_short_and_far_too_long(plan, steps, seen):
    (note,) = notes(plan(train={"max_steps": steps}), "is usual")
    assert f"is seen {seen}" in note
    assert note.endswith("which would be 1,000 steps")  # 5 pictures x 100, and as many class pictures


def test_about_a_hundred_times_is_not_worth_a_word(plan):
    assert notes(plan(train={"max_steps": 1000}), "usual") == []


def test_few_pictures_without_class_pictures(plan, tmp_path, pictures):
    train = pictures("alone/1_sls frog", 5)
    (note,) = notes(plan(dataset={"train_dir": str(train)}), "hundreds")
    assert "these are 5" in note
    many = pictures("many/1_sls frog", 100, size=(40, 40))
    assert notes(plan(dataset={"train_dir": str(many)}), "hundreds") == []


def test_one_class_of_two_without_class_pictures(plan, pictures):
    pictures("two/2_sls frog", 2)
    train, reg = str(pictures("two/2_shs rabbit", 2)), str(pictures("kept/1_frog", 2))
    (note,) = notes(plan(dataset={"train_dir": train, "reg_dir": reg}), "of other classes")
    assert note.startswith('there are no class pictures of "rabbit"')
    pictures("kept/1_rabbit", 2)
    assert notes(plan(dataset={"train_dir": train, "reg_dir": reg}), "of other classes") == []


def test_an_identifier_that_means_something(plan, pictures):
    train = pictures("rifle/2_sks frog", 2)
    (note,) = notes(plan(dataset={"train_dir": str(train)}), "sks")
    assert "rifle" in note
    assert "shs" in note


def test_an_identifier_of_several_tokens(plan, pictures):
    train = pictures("long/2_zwxqvb frog", 2)
    (note,) = notes(plan(dataset={"train_dir": str(train)}), "zwxqvb")
    assert "tokens instead of one" in note


def test_a_good_identifier_needs_no_advice(plan):
    assert notes(plan(), "identifier") == []


def test_an_identifier_that_no_caption_holds_is_not_judged(plan, pictures, tmp_path):
    train = pictures("captioned/2_sks frog", 1)
    (train / "2_sks frog" / "64x64-0.txt").write_text("a green frog")
    assert notes(plan(dataset={"train_dir": str(train)}), "rifle") == []


def test_a_prompt_of_the_identifier_alone(plan, pictures):
    train = pictures("alone/2_sks", 2)
    (note,) = notes(plan(dataset={"train_dir": str(train)}), "alone; add a class")
    assert '"sks"' in note
    concept = {"identifier": "sls", "instance_dir": str(pictures("concept/any", 2) / "any")}
    made = plan(dataset={"train_dir": None}, concept=[concept])
    assert notes(made, "alone; add a class")


def test_an_everyday_word_alone_is_a_class(plan, pictures):
    train = pictures("class/2_frog", 2)
    assert notes(plan(dataset={"train_dir": str(train)}), "alone; add a class") == []
