"""What captions and the text encoder cannot be together is refused with the reason."""

import pytest

from trainer_core.config.reader import parse_config
from trainer_core.errors import UserError


def refused(text):
    with pytest.raises(UserError) as caught:
        parse_config("schema = 1\n" + text, "run.toml")
    return caught.value.problems


@pytest.mark.parametrize(
    "setting", ["shuffle_caption = true", "tag_dropout_rate = 0.1", "wildcard = true", "token_warmup_steps = 10"]
)
def test_captions_that_vary_cannot_be_cached(setting):
    (problem,) = refused(f"[dataset]\ncache_text = true\n{setting}\n[text_encoder]\ntrain = false\n")
    assert f"dataset.{setting.partition(' ')[0]} makes new ones at each step" in problem


def test_neither_can_the_output_of_a_text_encoder_that_learns_to_the_end():
    (problem,) = refused("[dataset]\ncache_text = true\n")
    assert "it is trained to the end" in problem
    for stop in ("train = false", "stop_at_step = 5", "stop_at_epoch = 2", "stop_at_fraction = 0.5"):
        parse_config(f"schema = 1\n[dataset]\ncache_text = true\n[text_encoder]\n{stop}\n", "run.toml")
    parse_config("schema = 1\n[dataset]\ncache_text = false\nshuffle_caption = true\n", "run.toml")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stop_at_step = 5", "stop_at_epoch = 2"),
        ("stop_at_step = 5", "stop_at_fraction = 0.5"),
        ("stop_at_epoch = 2", "stop_at_fraction = 0.5"),
    ],
)
def test_the_text_encoder_stops_once(one, other):
    (problem,) = refused(f"[text_encoder]\n{one}\n{other}\n")
    assert "cannot both be given" in problem
    assert all(setting.partition(" ")[0] in problem for setting in (one, other))


def test_a_later_layer_says_it_in_another_way(tmp_path):
    from trainer_core.config.merge import lay_over

    below, above = {"text_encoder": {"stop_at_fraction": 0.5}}, {"text_encoder": {"stop_at_epoch": 2}}
    assert lay_over(below, above) == above


def test_parts_are_always_filled():
    (problem,) = refused("[text_encoder]\nno_token_padding = true\nmax_token_length = 150\n")
    assert "no_token_padding" in problem
    assert "max_token_length = 150" in problem
