"""The names of what a training writes, as the field knows them (peers' file names)."""


def final_name(output_name: str | None) -> str:
    """Return the name of the finished model: `last`, or the given name."""
    return output_name or "last"


def epoch_name(output_name: str | None, epoch: int) -> str:
    """Return the name of a model saved after `epoch` epochs (from 1): `epoch-000001`, `name-000001`."""
    return f"{output_name or 'epoch'}-{epoch:06d}"


def step_name(output_name: str | None, step: int) -> str:
    """Return the name of a model saved after `step` steps: `at-step00000100`, `name-step00000100`."""
    return f"{output_name or 'at'}-step{step:08d}"
