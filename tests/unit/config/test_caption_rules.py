"""What a method or a set of caption settings leaves without effect is refused, with the next action."""

import pytest

from trainer_core.config.bindings import bind
from trainer_core.config.reader import parse_config
from trainer_core.errors import UserError


def problems(text, **bound):
    try:
        config = parse_config(f"schema = 1\n{text}", "x")
        bind(config, **bound)
    except UserError as error:
        return error.problems
    return []


FINETUNE = '[method]\ncaptions = "finetune"\n'
HYBRID = '[method]\ncaptions = "hybrid"\n'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[dataset]\nreg_dir = 'r'", "dataset.reg_dir"),
        ("[[concept]]\nclass_dir = 'r'", "concept.class_dir"),
        ("[[concept]]\nclass = 'r'", "concept.class"),
        ("[[concept]]\nidentifier = 'r'", "concept.identifier"),
        ("[[concept]]\nclass_prompt = 'r'", "concept.class_prompt"),
        ("[prior]\nweight = 0.5", "prior.weight"),
        ("[prior]\nnum_class_images = 5", "prior.num_class_images"),
        ("[prior]\nclass_prompt = 'r'", "prior.class_prompt"),
        ("[dataset]\ncombine_prompt = '[PX][P]'", "dataset.combine_prompt"),
        ("[dataset]\ncaptions_for = 'instance'", "dataset.captions_for"),
    ],
)
def test_finetune_has_no_class_pictures_and_no_prompts(text, key):
    (problem,) = problems(FINETUNE + text)
    assert problem.startswith(f"x: {key}")
    assert 'is used only with method.captions = "dreambooth" or "hybrid" (it is "finetune")' in problem
    assert problems(text) == []


@pytest.mark.parametrize(
    ("bound", "option"),
    [
        ({"data": "d", "reg": "r"}, "--reg"),
        ({"data": "d", "identifier": "sls"}, "--identifier"),
        ({"data": "d", "class_": "frog"}, "--class"),
    ],
)
def test_finetune_refuses_them_on_the_command_line_too(bound, option):
    (problem,) = problems(FINETUNE, **bound)
    assert option in problem
    assert problems("", **bound) == []


@pytest.mark.parametrize("method", [FINETUNE, HYBRID])
def test_a_prompt_without_a_place_for_the_caption(method):
    (problem,) = problems(f"{method}[[concept]]\ninstance_prompt = 'photo of sls'")
    assert "put [filewords] into it" in problem
    assert problems(f"{method}[[concept]]\ninstance_prompt = 'photo of sls, [FileWords]'") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HYBRID + "[dataset]\ncaptions_for = 'class'", 'set it to "both" or "instance"'),
        (
            "[dataset]\ncaptions_for = 'class'\n[[concept]]\ninstance_prompt = '[filewords]'",
            "concept.instance_prompt",
        ),
        ("[dataset]\ncaptions_for = 'instance'\n[prior]\nclass_prompt = '[filewords]'", "prior.class_prompt"),
        ("[dataset]\ncombine_prompt = '[PX], anime'", "lacks [P], where the prompt goes"),
        ("[dataset]\ncombine_prompt = 'anime'", "lacks [PX], where the caption goes and [P]"),
        ("[dataset]\ncombine_prompt = '[PX][P]'\n[[concept]]\ninstance_prompt = '[filewords]'", "again"),
        ("[dataset]\nkeep_tokens = 2", "dataset.keep_tokens is used only with dataset.shuffle_caption"),
        ("[dataset]\nkeep_tokens_separator = '|||'", "dataset.keep_tokens_separator is used only with"),
        ("[dataset]\ncaption_separator = ';'", "dataset.caption_separator is used only with"),
        ("[dataset]\nsecondary_separator = ','", "must differ from dataset.caption_separator"),
        ("[dataset]\nshuffle_caption = true\nkeep_tokens_separator = ','", "must differ"),
        ("[dataset]\ncaption_dropout_every_n_epochs = 1", "from 2 to"),
    ],
)
def test_settings_without_effect(text, words):
    (problem,) = problems(text)
    assert words in problem


@pytest.mark.parametrize(
    "text",
    [
        "[dataset]\nshuffle_caption = true\nkeep_tokens = 2\ncaption_separator = ';'",
        "[dataset]\ntag_dropout_rate = 0.1\nkeep_tokens_separator = '|||'",
        "[dataset]\ntoken_warmup_steps = 0.1\ntoken_warmup_min = 2\nkeep_tokens = 1",
        "[dataset]\nsecondary_separator = ';;'",
        "[dataset]\nsecondary_separator = ';;'\ncaption_separator = ';'",
        "[dataset]\ncombine_prompt = '[PX], [P]'",
    ],
)
def test_settings_that_go_together(text):
    assert problems(text) == []
