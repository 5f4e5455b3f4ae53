"""What a LoRA cannot have, and what only a LoRA has, is refused by name."""

import pytest

from trainer_core.config.reader import parse_config
from trainer_core.errors import UserError

LORA = '[method]\ntrain = "lora"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LORA + '[save]\nformat = "ckpt"\n', 'save.format is "ckpt", and a LoRA is always one .safetensors file'),
        (LORA + '[save]\nformat = "diffusers"\n', "a LoRA is always one .safetensors file"),
        (
            LORA + '[save]\nunet_precision = "fp16"\n',
            'save.unet_precision is used only with method.train = "full"',
        ),
        ("[network]\nrank = 8\n", 'network.rank is used only with method.train = "lora"'),
        ("[network]\ndropout = 0.5\n", 'network.dropout is used only with method.train = "lora"'),
        (
            LORA + "[network]\nconv_alpha = 8.0\n",
            "network.conv_alpha is used only with network.conv_rank other than 0",
        ),
        (
            LORA + '[network]\ninit_from = "/frog.safetensors"\nrank = 8\n',
            'network.rank is used only with network.init_from left out (it is "/frog.safetensors"); remove that',
        ),
    ],
)
def test_it_is_refused_with_the_next_action(text, said):
    with pytest.raises(UserError) as error:
        parse_config(f"schema = 1\n{text}", "run.toml")
    assert any(said in problem for problem in error.value.problems), error.value.problems


@pytest.mark.parametrize("form", ["same", "safetensors"])
def test_its_one_format_may_be_named(form):
    config = parse_config(f'schema = 1\n{LORA}[save]\nformat = "{form}"\n', "run.toml")
    assert config.save.format == form
