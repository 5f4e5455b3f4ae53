"""How things end: the exit codes and the one exception that is meant for a person."""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command and of the trainer. Stable: scripts rely on them."""

    DONE = 0
    FAILED = 1
    CONFIG = 2
    DATASET = 3
    MODEL = 4
    RESUME = 5
    DISK = 6
    NON_FINITE = 7
    OUT_OF_MEMORY = 8
    LOCKED = 9
    STOPPED = 75


class UserError(Exception):
    """Something the person can mend. Each problem is one line naming the file and the next action."""

    def __init__(self, problems: str | Iterable[str], code: ExitCode) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.code = code
        super().__init__("\n".join(self.problems))
