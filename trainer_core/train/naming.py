"""The names of what a training writes, as the field knows them (peers' file names)."""

import re


def final_name(output_name: str | None) -> str:
    """Return the name of the finished model: `last`, or the given name."""
    return output_name or "last"


def epoch_name(output_name: str | None, epoch: int) -> str:
    """Return the name of a model saved after `epoch` epochs (from 1): `epoch-000001`, `name-000001`."""
    return f"{output_name or 'epoch'}-{epoch:06d}"


def step_name(output_name: str | None, step: int) -> str:
    """Return the name of a model saved after `step` steps: `at-step00000100`, `name-step00000100`."""
    return f"{output_name or 'at'}-step{step:08d}"


def is_name_of(output_name: str | None, file_name: str) -> bool:
    """Tell whether a training with this output name writes a model called `file_name`, with or without ending."""
    if output_name is None:
        pattern = r"(last|epoch-\d{6,}|at-step\d{8,})"
    else:
        pattern = rf"{re.escape(output_name)}(-\d{{6,}}|-step\d{{8,}})?"
    return re.fullmatch(rf"{pattern}(\.(safetensors|ckpt|yaml))?", file_name) is not None
