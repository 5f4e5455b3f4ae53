"""What does not go together among optimizer, schedule, loss and averaging is refused by name."""

import pytest

from trainer_core.config.reader import parse_config
from trainer_core.errors import UserError

BF16 = '[memory]\nmixed_precision = "bf16"\nfull_bf16 = true\n'
FREE = '[optimizer]\ntype = "adamw_schedulefree"\n'
PRODIGY = '[optimizer]\ntype = "prodigy"\nlearning_rate = 1.0\n'
POLYNOMIAL = '[scheduler]\ntype = "polynomial"\n'
FUSED = "[memory]\nfused_backward = true\n"
LORA = '[method]\ntrain = "lora"\n'


def problems_of(text):
    try:
        parse_config("schema = 1\n" + text, "run.toml")
    except UserError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("kind", ["prodigy", "adamw_schedulefree"])
def test_what_rounds_to_nearest_needs_float32_weights(kind):
    (problem,) = problems_of(f'{BF16}[optimizer]\ntype = "{kind}"\n')
    assert f'optimizer.type = "{kind}" needs float32 weights, and memory.full_bf16' in problem
    assert problems_of(f'[memory]\nmixed_precision = "bf16"\n[optimizer]\ntype = "{kind}"\n') == []


@pytest.mark.parametrize(
    "kind", ["adamw", "adamw8bit", "paged_adamw", "paged_adamw8bit", "lion", "lion8bit", "adafactor"]
)
def test_what_rounds_stochastically_takes_16_bit_weights(kind):
    assert problems_of(f'{BF16}[optimizer]\ntype = "{kind}"\n') == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FREE + '[scheduler]\ntype = "cosine"\n', 'scheduler.type is "cosine"'),
        (FREE + "betas = [0.0, 0.9]\n", "optimizer.betas begins with 0"),
        (FREE + "[ema]\nenable = true\n", "ema.enable = true averages the weights"),
        (FREE + LORA + "[network]\nscale_weight_norms = 1.0\n", "network.scale_weight_norms"),
        (PRODIGY + "[text_encoder]\nlearning_rate = 0.5\n", "text_encoder.learning_rate differs"),
        (POLYNOMIAL + "[optimizer]\nlearning_rate = 1e-7\n", "learning_rate is 1e-07"),
        (POLYNOMIAL + "[text_encoder]\nlearning_rate = 5e-8\n", "text_encoder.learning_rate is 5e-08"),
        (f"{FUSED}[train]\ngradient_accumulation = 4\n", "adds them up over 4 passes"),
        (FUSED + PRODIGY, "memory.fused_backward updates one weight at a time"),
        (FUSED + FREE, "averages all weights"),
        ("[loss]\nmin_timestep = 500\nmax_timestep = 500\n", "min_timestep is 500 and max_timestep is 500"),
    ],
)
def test_each_is_refused_by_name(text, said):
    (problem,) = problems_of(text)
    assert problem.startswith("run.toml: ")
    assert said in problem


@pytest.mark.parametrize(
    "text",
    [
        FREE + '[scheduler]\ntype = "constant_with_warmup"\nwarmup_steps = 3\n',
        PRODIGY + '[text_encoder]\nlearning_rate = 1.0\n[scheduler]\ntype = "cosine"\n',
        POLYNOMIAL + "[optimizer]\nlearning_rate = 2e-7\n",
        FUSED + '[optimizer]\ntype = "adafactor"\nmax_grad_norm = 0.0\n',
        PRODIGY + "[ema]\nenable = true\n",
        "[loss]\nmin_timestep = 500\nmax_timestep = 501\n",
    ],
)
def test_what_goes_together_is_read(text):
    assert problems_of(text) == []
