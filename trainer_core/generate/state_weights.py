"""The weights of a checkpoint put into the start model: those that a save at that step would have written."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import Parameter

from trainer_core.config.schema import Config, Memory
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.source import Source
from trainer_core.models.lora.adapters import Adapters
from trainer_core.run.checkpoints import OPTIMIZER, WEIGHTS
from trainer_core.text import safe_text
from trainer_core.train.precision import Precision
from trainer_core.train.trained import make_adapters, place_for_training

_PLAIN = Precision(weights=torch.float32, compute=torch.float32, scaled=False, base=torch.float32)


def put_checkpoint(source: Source, model: Any) -> Adapters | None:
    """Give `model`, the start model on the CPU, what the checkpoint holds; return its LoRA, attached, if any.

    Raises:
        UserError: the checkpoint is damaged, does not fit, or went while it was read (code MODEL).
    """
    if source.config is None:
        raise RuntimeError("a checkpoint belongs to a run")
    config = _without_training(source.config)
    adapters = make_adapters(config, model)
    groups = place_for_training(config, model, torch.device("cpu"), _PLAIN, adapters)
    parameters = {name: value for group in groups for name, value in group.parameters.items()}
    try:
        _fill(source, config, parameters)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{safe_text(source.named)}: this checkpoint cannot be read ({safe_text(error, limit=200)}); "
            "a training that goes on may have replaced it: try again, or name another",
            ExitCode.MODEL,
        ) from error
    return adapters


@torch.no_grad()
def _fill(source: Source, config: Config, parameters: Mapping[str, Parameter]) -> None:
    with (
        safe_open(source.path / WEIGHTS, framework="pt") as weights,
        safe_open(source.path / OPTIMIZER, framework="pt") as state,
    ):
        names = set(state.keys())
        for number, (name, parameter) in enumerate(parameters.items()):
            average, z = f"average.{name}", f"{number}.z"
            if average in names:
                parameter.copy_(state.get_tensor(average))
                continue
            parameter.copy_(weights.get_tensor(name))
            if config.optimizer.type == "adamw_schedulefree" and z in names:
                _to_schedule_free_average(parameter, state.get_tensor(z), config.optimizer.betas[0])


def _to_schedule_free_average(y: Tensor, z: Tensor, beta1: float) -> None:
    """Make the kept weights x = y + (1 - 1/beta1)(z - y) of those under training."""
    y.lerp_(z.to(y.dtype), 1 - 1 / beta1)


def _without_training(config: Config) -> Config:
    """Leave out what only a training needs: memory it saves, and the file that a LoRA began with."""
    network = config.network.model_copy(update={"init_from": None})
    return config.model_copy(update={"memory": Memory(), "network": network})
