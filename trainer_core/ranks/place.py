"""Which of a run's processes this is, as the launcher says in the environment (torchrun and accelerate alike)."""

import os

_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


def is_one_of_several() -> bool:
    """Tell whether a launcher started this process beside others."""
    return all(name in os.environ for name in _NAMES) and int(os.environ["WORLD_SIZE"]) > 1


def is_first() -> bool:
    """Tell whether this is the process that holds the run, or the only one."""
    return not is_one_of_several() or rank() == 0


def processes_here() -> int:
    """Return how many processes of the run are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if is_one_of_several() else 1


def rank() -> int:
    """Return which of all processes this is, from 0."""
    return int(os.environ["RANK"]) if is_one_of_several() else 0
