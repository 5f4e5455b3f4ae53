"""What is done to a caption at each step, setting by setting and in which order."""

from collections import Counter
from pathlib import Path

import pytest

from trainer_core.config.schema import Dataset
from trainer_core.data.caption_examples import text_examples
from trainer_core.data.caption_steps import CaptionSteps
from trainer_core.data.dataset import Item, Picture
from trainer_core.data.order import Draw

TAGS = "frog, green, leaf, rain, night, moon"


def item(caption, is_class=False, name="a.png", source=".txt"):
    picture = Picture(path=Path("folder") / name, size=(64, 64), caption=caption, caption_from=source)
    return Item(picture=picture, is_class=is_class, repeats=1)


def steps(caption=TAGS, *, total=100, is_class=False, **settings):
    return CaptionSteps(Dataset(**settings), [item(caption, is_class)], total)


def draw(seed=0, step=0, epoch=0, index=0):
    return Draw(index, step, epoch, seed)


def some(made, number=400, **where):
    return [made(draw(seed, **where)) for seed in range(number)]


def test_without_settings_the_caption_is_the_text():
    made = steps("a frog,  [x] {a|b} ||| c")
    assert made(draw(5)) == "a frog,  [x] {a|b} ||| c"
    assert (made.varies, made.fixed_texts()) == (False, ("a frog,  [x] {a|b} ||| c",))


def test_prefix_and_suffix_stand_round_it_with_a_space():
    made = steps("a frog", caption_prefix="anime", caption_suffix="4k")
    assert (made(draw()), made.varies) == ("anime a frog 4k", False)


def test_a_share_of_the_captions_is_dropped_with_prefix_and_all():
    made = steps("frog", caption_dropout_rate=0.3, caption_prefix="anime")
    counts = Counter(some(made, 4000))
    assert set(counts) == {"anime frog", ""}
    assert counts[""] / 4000 == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 4000) ** 0.5)
    assert (made.varies, made.fixed_texts()) == (False, ("anime frog", ""))


def test_every_nth_epoch_has_no_captions():
    made = steps("frog", caption_dropout_every_n_epochs=3)
    assert [made(draw(epoch=epoch)) for epoch in range(7)] == ["frog", "frog", "", "frog", "frog", "", "frog"]
    assert made.fixed_texts() == ("frog", "")


def test_wildcards_take_a_line_and_a_part_and_keep_double_braces():
    made = steps("a {red|green} frog\n{{x}} toad", wildcard=True, caption_prefix="{old|new}")
    ages, rest = zip(*(text.split(" ", 1) for text in some(made)), strict=True)
    assert set(ages) == {"old", "new"}
    assert set(rest) == {"a red frog", "a green frog", "{x} toad"}
    assert made.varies
    with pytest.raises(ValueError, match="anew"):
        made.fixed_texts()


def test_wildcards_without_a_choice_do_not_vary():
    made = steps("a {red} {{frog}}", wildcard=True)
    assert (made.varies, made.fixed_texts()) == (False, ("a red {frog}",))


def test_shuffling_keeps_every_tag_and_the_first_in_place():
    made = steps(shuffle_caption=True, keep_tokens=2)
    texts = some(made)
    assert {tuple(text.split(", ")[:2]) for text in texts} == {("frog", "green")}
    assert {frozenset(text.split(", ")) for text in texts} == {frozenset(TAGS.split(", "))}
    assert len(set(texts)) == 24  # 4! orders


def test_the_separator_of_what_stays_goes_and_guards_both_ends():
    made = steps("a, b ||| c, d ||| e, f", shuffle_caption=True, keep_tokens_separator="|||")
    assert set(some(made, 60)) == {"a, b, c, d, e, f", "a, b, d, c, e, f"}
    made = steps("a, b ||| c, d", tag_dropout_rate=0.5, keep_tokens_separator="|||")
    assert set(some(made, 100)) == {"a, b", "a, b, c", "a, b, d", "a, b, c, d"}
    made = steps("a, b", shuffle_caption=True, keep_tokens_separator="|||")
    assert set(some(made, 60)) == {"a, b", "b, a"}  # where it does not stand, nothing stays


def test_a_share_of_the_tags_is_dropped():
    made = steps(tag_dropout_rate=0.25, keep_tokens=1)
    texts = [text.split(", ") for text in some(made, 2000)]
    assert all(tags[0] == "frog" for tags in texts)
    dropped = 1 - sum(len(tags) - 1 for tags in texts) / 10_000
    assert dropped == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 10_000) ** 0.5)
    assert all(tags == sorted(tags, key=TAGS.split(", ").index) for tags in texts)  # in their order


@pytest.mark.parametrize("warmup", [10, 0.1])
def test_the_number_of_tags_grows(warmup):
    made = steps(total=100, token_warmup_steps=warmup, token_warmup_min=2, keep_tokens=1)
    expected = [1 + int(step * (5 - 2) / 10) + 2 for step in range(10)] + [6, 6]
    assert [len(made(draw(step=step)).split(", ")) for step in range(12)] == expected
    assert made(draw(step=0)) == "frog, green, leaf"


def test_tags_joined_by_the_second_separator_move_as_one():
    made = steps("red;;hat, green, leaf", shuffle_caption=True, secondary_separator=";;")
    assert set(some(made, 100)) == {
        ", ".join(order).replace("red, hat", "red,hat")
        for order in (
            ("red, hat", "green", "leaf"),
            ("red, hat", "leaf", "green"),
            ("green", "red, hat", "leaf"),
            ("leaf", "red, hat", "green"),
            ("green", "leaf", "red, hat"),
            ("leaf", "green", "red, hat"),
        )
    }
    made = steps("red;;hat, x", secondary_separator=";;")
    assert (made.fixed_texts(), made.varies) == (("red,hat, x",), False)


def test_another_separator_splits_and_the_tags_are_joined_with_commas():
    assert set(some(steps("a b; c, d", shuffle_caption=True, caption_separator=";"), 50)) == {
        "a b, c, d",
        "c, d, a b",
    }


def test_the_order_prefix_then_wildcard_then_warmup_then_shuffle():
    """A prefix is a tag of its own where it ends in a comma; the warm-up cuts before anything is shuffled."""
    made = steps(
        "{x|y}, a, b, c",
        caption_prefix="first,",
        wildcard=True,
        shuffle_caption=True,
        keep_tokens=1,
        token_warmup_steps=10,
        token_warmup_min=2,
    )
    assert set(some(made, 200, step=0)) == {"first, x, a", "first, a, x", "first, y, a", "first, a, y"}


@pytest.mark.parametrize(("side", "is_class"), [("instance", True), ("class", False)])
def test_the_other_side_keeps_its_text(side, is_class):
    made = steps(
        "b, a",
        is_class=is_class,
        captions_for=side,
        caption_prefix="x",
        caption_dropout_rate=0.9,
        shuffle_caption=True,
    )
    assert set(some(made, 50)) == {"b, a"}
    assert made.fixed_texts() == ("b, a",)


def test_a_draw_decides_alone():
    first, second = (steps(shuffle_caption=True, tag_dropout_rate=0.3, caption_dropout_rate=0.1) for _ in range(2))
    assert some(first) == list(reversed([second(draw(seed)) for seed in reversed(range(400))]))
    assert len(set(some(first))) > 100


def test_examples_show_each_folder_and_source_once_and_no_dropped_caption():
    items = [item("sls frog", name="1.png", source="folder"), item("a frog", name="2.png"), item("a toad")]
    shown = text_examples(Dataset(caption_dropout_rate=0.99, caption_prefix="x"), items, 10, 0)
    assert [(each.path.name, each.text, each.varies) for each in shown] == [
        ("1.png", "x sls frog", False),
        ("2.png", "x a frog", False),
    ]
