"""What this machine cannot do, refused before pictures are read and models loaded."""

import torch

from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.train.attention import xformers_problem
from trainer_core.train.optimizers import make_optimizer
from trainer_core.train.precision import Precision
from trainer_core.train.sharded import has_fsdp


def refuse_impossible(config: Config, device: torch.device) -> None:
    """Raise UserError(CONFIG) with every setting that `device` or an installed library cannot satisfy."""
    problems: list[str] = []
    try:
        Precision.of(config.memory, device)
    except UserError as error:
        problems += error.problems
    if config.memory.attention == "xformers" and (problem := xformers_problem(device)):
        problems.append(f'memory.attention = "xformers": {problem}. Use "sdpa".')
    if config.memory.fsdp and not has_fsdp():
        problems.append(
            f"memory.fsdp needs a newer torch than {torch.__version__}: update it, or remove memory.fsdp"
        )
    try:
        make_optimizer([[torch.nn.Parameter(torch.zeros(1, device=device))]], config.optimizer, exact_skip=False)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(problems, ExitCode.CONFIG)
