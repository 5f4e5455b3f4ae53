"""Writes the fixture of today's checkpoint format: `python tests/trainer/checkpoint_formats/make_fixture.py`.

A made fixture is never made again: later programs are tested with what this one wrote. The training is a tiny one,
two weights and three steps of AdamW; what the fourth makes of them is kept beside, to prove that the state lives.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

from trainer_core.config.schema import Optimizer
from trainer_core.train.checkpoint import FORMAT, Checkpoint, load_checkpoint, save_checkpoint
from trainer_core.train.optimizers import WeightUpdate, make_optimizer

FOLDER = Path(__file__).parent
STEP = 3
FACTS = {"settings": {"optimizer.learning_rate": 0.01}, "pictures": [["00.png", "a frog", False, 1, [64, 64]]]}


def weights() -> list[torch.nn.Parameter]:
    """Return a matrix of 3 x 4 and a vector of 4, the same each time."""
    numbers = torch.arange(16, dtype=torch.float32) / 16
    return [torch.nn.Parameter(numbers[:12].reshape(3, 4).clone()), torch.nn.Parameter(numbers[12:].clone())]


def optimizer_of(parameters: list[torch.nn.Parameter]) -> WeightUpdate:
    """Return AdamW for them."""
    return make_optimizer([parameters], Optimizer(type="adamw", learning_rate=0.01), exact_skip=False)


def train_step(parameters: list[torch.nn.Parameter], optimizer: WeightUpdate, step: int) -> None:
    """Make one step, from 0, with gradients that depend on its number alone."""
    for number, parameter in enumerate(parameters):
        parameter.grad = torch.sin(torch.arange(parameter.numel()) + 7.0 * step + number).reshape(parameter.shape)
    optimizer.step([0.01], torch.ones(()), torch.zeros((), dtype=torch.bool), step)


def go_on(folder: Path) -> list[Tensor]:
    """Return the weights after one more step from the checkpoint in `folder`."""
    found = load_checkpoint(folder, torch.device("cpu"))
    parameters = [torch.nn.Parameter(tensor) for tensor in found.weights.values()]
    optimizer = optimizer_of(parameters)
    optimizer.load(found.optimizer)
    train_step(parameters, optimizer, found.step)
    return [parameter.detach() for parameter in parameters]


def main() -> None:
    """Write format-N/ and format-N.json."""
    target = FOLDER / f"format-{FORMAT}"
    if target.exists():
        raise SystemExit(f"{target} is there; fixtures are never made again")
    parameters = weights()
    optimizer = optimizer_of(parameters)
    for step in range(STEP):
        train_step(parameters, optimizer, step)
    scaler = {"scale": torch.tensor(1.0), "clean_steps": torch.tensor(0.0)}
    named = dict(zip(("matrix", "vector"), parameters, strict=True))
    average = {name: parameter.detach() / 2 for name, parameter in named.items()}
    path, _ = save_checkpoint(FOLDER, Checkpoint(STEP, named, optimizer.state(), scaler, FACTS, average))
    path.rename(target)
    expected = [tensor.tolist() for tensor in go_on(target)]
    (FOLDER / f"format-{FORMAT}.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
