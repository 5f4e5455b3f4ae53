"""`dbtui merge`: the weights of the result, and what is refused before anything is loaded."""

import json

import pytest
import torch

from dbtui.cli.app import run
from trainer_core.config.schema import Network
from trainer_core.models.lora.build import modules_of, new_adapters
from trainer_core.models.lora.file import save_lora


@pytest.fixture
def lora(tiny_models, tmp_path):
    """A LoRA that changes every place, and its adapters."""
    adapters = new_adapters(tiny_models["sd1"], Network(rank=2, conv_rank=1), text_encoder=True, seed=3)
    generator = torch.Generator().manual_seed(0)
    for adapter in adapters.adapters:
        adapter.up.data.normal_(generator=generator)
    return save_lora(adapters, tmp_path / "frog", precision=None, metadata={}).paths[0], adapters.adapters


def test_every_weight_is_that_of_the_formula(saved, load, lora, tiny_models, tmp_path, capsys):
    file, adapters = lora
    target = tmp_path / "merged.safetensors"
    assert run(["merge", str(saved("sd1")), str(file), str(target), "--scale", "-0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paths"] == [str(target)]
    before = modules_of(tiny_models["sd1"], conv=True, text_encoder=True)
    merged = load(target)
    after = modules_of(merged, conv=True, text_encoder=True)
    assert len(adapters) == len(after) == 277 + 12
    for adapter in adapters:
        product = torch.einsum("or...,ri...->oi...", adapter.up.flatten(1), adapter.down.flatten(1))
        weight = before[adapter.place].weight
        expected = weight - 0.5 * adapter.alpha / len(adapter.down) * product.view(weight.shape)
        assert torch.allclose(after[adapter.place].weight, expected, atol=1e-6)
    assert torch.equal(merged.unet.conv_in.weight, tiny_models["sd1"].unet.conv_in.weight)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["model", "lora"], 4, "no such file"),
        (["model", "model"], 4, "this is not a LoRA"),
        (["lora", "lora"], 4, "a LoRA, not a whole model"),
        (["model", "real", "--scale", "nan"], 2, "'--scale'"),
        (["model", "real", "--scale", "11"], 2, "'--scale'"),
    ],
)
def test_what_cannot_be_merged_is_told(arguments, code, said, saved, lora, tmp_path, capsys):
    paths = {"model": str(saved("sd1")), "lora": str(tmp_path / "none.safetensors"), "real": str(lora[0])}
    if arguments[0] == "lora":
        paths["lora"] = str(lora[0])
    command = [paths.get(word, word) for word in arguments[:2]]
    assert run(["merge", *command, str(tmp_path / "out.safetensors"), *arguments[2:]]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()
