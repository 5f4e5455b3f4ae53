"""How things end: the exit codes and the one exception that is meant for a person."""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command and of the trainer. Stable: scripts rely on them.

    Attributes:
        meaning: in a few words, as help texts and docs/exit-codes.md say it.
    """

    meaning: str

    DONE = 0, "done"
    FAILED = 1, "unexpected failure"
    CONFIG = 2, "command line, preset or configuration"
    DATASET = 3, "dataset"
    MODEL = 4, "model or Hub"
    RESUME = 5, "resume refused"
    DISK = 6, "disk"
    NON_FINITE = 7, "a loss or weight is not finite"
    OUT_OF_MEMORY = 8, "out of memory"
    LOCKED = 9, "held by another trainer"
    STOPPED = 75, "stopped, and can be started again"

    def __new__(cls, value: int, meaning: str = "") -> "ExitCode":
        """Make a code of its number and its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    @classmethod
    def listed(cls) -> str:
        """Return all of them in one line, for a help text."""
        return "Exit codes: " + ", ".join(f"{int(code)} {code.meaning}" for code in cls) + "."


class UserError(Exception):
    """Something the person can mend. Each problem is one line naming the file and the next action."""

    def __init__(self, problems: str | Iterable[str], code: ExitCode) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.code = code
        super().__init__("\n".join(self.problems))
